#include <gtest/gtest.h>

#include <unchannel/report/html.hpp>

#include "well_formed.hpp"

namespace unchannel::report {
namespace {

using report_test::page_problems;

TEST(Escape, ReplacesMarkupAndKeepsText) { EXPECT_EQ(escape("<b a=\"1\" c='2'> Å & λ"), "&lt;b a=&quot;1&quot; c=&#39;2&#39;&gt; Å &amp; λ"); }

TEST(Escape, LeavesOutControlCharactersAndMarksBrokenUtf8) {
  EXPECT_EQ(escape(std::string("a\0\x1b\x7f" "b", 5)), "ab");
  EXPECT_EQ(escape("\xff"), "\xEF\xBF\xBD");
  EXPECT_EQ(escape("\xc3"), "\xEF\xBF\xBD");                      // cut in half
  EXPECT_EQ(escape("\xc0\xbc"), "\xEF\xBF\xBD\xEF\xBF\xBD");      // overlong '<'
  EXPECT_EQ(escape("\xed\xa0\x80").find('\xed'), std::string::npos);  // surrogate
}

HtmlPage full_page(const std::string& text) {
  HtmlPage page(text, text);
  page.section(text);
  page.paragraph(text);
  page.facts({{text, text}});
  page.table({{{text, text, false}, {"n", "", true}}, {{{text, "1"}, "", true}, {{text}, text, false}}, text});
  page.figure("<svg></svg>", text);
  page.folded(text, text);
  return page;
}

TEST(HtmlPage, IsWellFormedAndSelfContained) { EXPECT_EQ(page_problems(full_page("plain").html()), std::vector<std::string>{}); }

TEST(HtmlPage, TextThatLooksLikeMarkupStaysText) {
  const std::string page = full_page("</style></pre><script>alert(1)</script>\"'<svg onload=x>").html();
  EXPECT_EQ(page_problems(page), std::vector<std::string>{});
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("<svg onload"), std::string::npos);
}

TEST(HtmlPage, ARowWithoutFiguresSpansItsRemark) {
  HtmlPage page("t", "");
  page.table({{{"method", "", false}, {"a", "", true}, {"b", "", true}}, {{{"oracle"}, "not computed: no run", false}}, ""});
  EXPECT_NE(page.html().find("<td>oracle</td><td class=\"remark\" colspan=\"2\">not computed: no run</td>"), std::string::npos);
}

TEST(HtmlPage, SectionsAppearInTheContents) {
  HtmlPage page("t", "");
  page.section("First");
  page.section("Second");
  EXPECT_NE(page.html().find("<a href=\"#section-2\">Second</a>"), std::string::npos);
}

}  // namespace
}  // namespace unchannel::report
