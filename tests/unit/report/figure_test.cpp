#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/report/figure.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>
#include <unchannel/report/svg_inline.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "well_formed.hpp"

namespace unchannel::report {
namespace {

using report_test::page_problems;

using test_support::message_of;

Figure small_figure(std::vector<double> y) {
  Figure figure;
  Panel panel;
  panel.x.label = "x";
  panel.series.push_back({"curve", {0, 1, 2}, std::move(y), Tone::kBlue, Mark::kLine, 1});
  panel.series.push_back({"dots", {0, 1, 2}, {1, 2, 3}, Tone::kInk, Mark::kPoints, 1});
  panel.markers.push_back({1, "Ly α"});
  figure.panels = {panel, panel};
  figure.arrange(2, 200);
  figure.description = "a <small> figure";
  return figure;
}

TEST(RunGnuplot, AMissingProgramIsNamedWithItsRemedy) {
  const std::string message = message_of<ConfigError>([] { run_gnuplot("plot x", "gnuplot-that-is-not-installed"); });
  EXPECT_NE(message.find("gnuplot-that-is-not-installed"), std::string::npos) << message;
  EXPECT_NE(message.find("apt-get install gnuplot-nox"), std::string::npos) << message;
}

TEST(RunGnuplot, AFaultyScriptGivesGnuplotsOwnMessage) {
  const std::string message = message_of<DataError>([] { run_gnuplot("set terminal svg\nplot nonsense_function(x)\n"); });
  EXPECT_NE(message.find("nonsense_function"), std::string::npos) << message;
}

TEST(RunGnuplot, AScriptThatDrawsNothingIsAnError) {
  EXPECT_NE(message_of<DataError>([] { run_gnuplot("x = 1\n"); }).find("printed no figure"), std::string::npos);
}

TEST(GnuplotScript, TextCannotLeaveItsQuotes) {
  Figure figure = small_figure({0, 1, 2});
  figure.panels[0].title = "it's\nset output 'x' `id` \"$(id)\"";
  const std::string script = gnuplot_script(figure);
  EXPECT_NE(script.find("set title 'it''s set output ''x'' `id` \"$(id)\"'"), std::string::npos);
  EXPECT_NE(render_figure(figure).find("it's set output 'x' `id`"), std::string::npos);
}

TEST(RenderFigure, IsWellFormedSelfContainedAndDescribed) {
  const std::string svg = render_figure(small_figure({0, 1, 4}));
  EXPECT_EQ(page_problems(svg), std::vector<std::string>{});
  EXPECT_NE(svg.find("aria-label=\"a &lt;small&gt; figure\""), std::string::npos);
  EXPECT_NE(svg.find("Ly α"), std::string::npos);
  EXPECT_NE(svg.find(">curve<"), std::string::npos);
  EXPECT_EQ(svg.find("stroke='black'"), std::string::npos) << "black ink must follow the page's text colour";
}

TEST(RenderFigure, TwoFiguresShareNoId) {
  EXPECT_EQ(page_problems(render_figure(small_figure({0, 1, 4})) + render_figure(small_figure({0, 2, 4}))), std::vector<std::string>{});
}

TEST(RenderFigure, DrawsWhateverTheData) {
  for (const auto& y : {std::vector<double>{NAN, NAN, NAN}, {1, 1, 1}, {0, 0, 0}, {1, INFINITY, -1e30}, {}}) {
    for (const bool logarithmic : {false, true}) {
      Figure figure = small_figure(y);
      figure.panels[0].series.resize(1);
      figure.panels[0].y.logarithmic = logarithmic;
      EXPECT_NO_THROW(render_figure(figure)) << y.size() << logarithmic;
    }
  }
}

TEST(InlineSvg, RefusesWhatIsNoDrawing) { EXPECT_THROW(inline_svg("<html>", "f-", ""), DataError); }

}  // namespace
}  // namespace unchannel::report
