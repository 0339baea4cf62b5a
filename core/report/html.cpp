#include "html.hpp"

#include <fmt/core.h>

#include <cstdint>

#include "html_style.hpp"

namespace unchannel::report {
namespace {

/// Length of the UTF-8 sequence at the start of `text`, 0 when it is none (overlong forms and surrogates included).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
  const std::uint8_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xC2 && lead < 0xE0 ? 2 : lead >= 0xE0 && lead < 0xF0 ? 3 : lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if ((lead == 0xE0 && byte(1) < 0xA0) || (lead == 0xED && byte(1) > 0x9F) || (lead == 0xF0 && byte(1) < 0x90) ||
      (lead == 0xF4 && byte(1) > 0x8F)) {
    return 0;
  }
  return length;
}

std::string_view entity(char character) {
  switch (character) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return {};
  }
}

std::string_view class_of(const Column& column) { return column.numeric ? " class=\"number\"" : ""; }

}  // namespace

std::string escape(std::string_view text) {
  std::string result;
  result.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const char first = text.front();
    if (length == 0) {
      result += "\xEF\xBF\xBD";
    } else if (const std::string_view replacement = entity(first); !replacement.empty()) {
      result += replacement;
    } else if (length > 1 || static_cast<unsigned char>(first) >= 0x20 || first == '\n' || first == '\t') {
      if (first != 0x7F) result += text.substr(0, length);
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return result;
}

HtmlPage::HtmlPage(std::string title, std::string subtitle) : title_(std::move(title)), subtitle_(std::move(subtitle)) {}

void HtmlPage::section(const std::string& heading) {
  headings_.push_back(heading);
  body_ += fmt::format("<h2 id=\"section-{}\">{}</h2>\n", headings_.size(), escape(heading));
}

void HtmlPage::paragraph(std::string_view text) { body_ += fmt::format("<p>{}</p>\n", escape(text)); }

void HtmlPage::facts(const std::vector<std::pair<std::string, std::string>>& items) {
  body_ += "<dl>\n";
  for (const auto& [name, value] : items) body_ += fmt::format("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(value));
  body_ += "</dl>\n";
}

void HtmlPage::table(const Table& table) {
  body_ += "<div class=\"wide\"><table>\n<thead><tr>";
  for (const Column& column : table.columns) body_ += fmt::format("<th{}>{}</th>", class_of(column), escape(column.heading));
  body_ += "</tr></thead>\n<tbody>\n";
  for (const Row& row : table.rows) {
    body_ += row.strong ? "<tr class=\"strong\">" : "<tr>";
    for (std::size_t i = 0; i < row.cells.size(); ++i) {
      body_ += fmt::format("<td{}>{}</td>", class_of(table.columns.at(i)), escape(row.cells[i]));
    }
    if (const std::size_t rest = table.columns.size() - row.cells.size(); rest > 0) {
      body_ += fmt::format("<td class=\"remark\" colspan=\"{}\">{}</td>", rest, escape(row.remark));
    }
    body_ += "</tr>\n";
  }
  body_ += "</tbody></table></div>\n";
  std::string notes;
  for (const Column& column : table.columns) {
    if (!column.meaning.empty()) notes += fmt::format("<b>{}</b>: {} ", escape(column.heading), escape(column.meaning));
  }
  notes += escape(table.note);
  if (!notes.empty()) body_ += fmt::format("<p class=\"note\">{}</p>\n", notes);
}

void HtmlPage::figure(const std::string& svg, std::string_view caption) {
  body_ += fmt::format("<figure>\n{}\n<figcaption><b>Figure {}.</b> {}</figcaption>\n</figure>\n", svg, ++figures_, escape(caption));
}

void HtmlPage::folded(std::string_view summary, std::string_view text) {
  body_ += fmt::format("<details><summary>{}</summary>\n<pre>{}</pre>\n</details>\n", escape(summary), escape(text));
}

std::string HtmlPage::html() const {
  std::string contents;
  for (std::size_t i = 0; i < headings_.size(); ++i) {
    contents += fmt::format("<a href=\"#section-{}\">{}</a>\n", i + 1, escape(headings_[i]));
  }
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{0}</title>\n<style>{1}</style>\n</head>\n<body>\n"
      "<header><h1>{0}</h1>\n<p class=\"subtitle\">{2}</p>\n<nav>{3}</nav></header>\n<main>\n{4}</main>\n</body>\n</html>\n",
      escape(title_), kPageStyle, escape(subtitle_), contents, body_);
}

}  // namespace unchannel::report
