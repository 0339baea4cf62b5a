#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unchannel::report {

/// `text` for use in HTML content and attributes: & < > " ' as entities, control characters left out, bytes that are not UTF-8
/// replaced by U+FFFD.
std::string escape(std::string_view text);

/// One column of a table: its heading, what the heading means (shown below the table), numbers right-aligned or text.
struct Column {
  std::string heading;
  std::string meaning;
  bool numeric = false;
};

struct Row {
  std::vector<std::string> cells;  ///< at most one per column
  std::string remark;              ///< fills the columns that have no cell: why a row has no figures
  bool strong = false;
};

struct Table {
  std::vector<Column> columns;
  std::vector<Row> rows;
  std::string note;
};

/// A page that needs nothing but itself: style and figures are inside, there is no script, and it follows the reader's light or
/// dark preference. Functions take plain text and escape it; only `figure` takes markup, from `render_figure`.
class HtmlPage {
 public:
  HtmlPage(std::string title, std::string subtitle);

  /// Starts a section; it appears in the list of contents.
  void section(const std::string& heading);
  void paragraph(std::string_view text);
  /// A list of names and values.
  void facts(const std::vector<std::pair<std::string, std::string>>& items);
  void table(const Table& table);
  /// `svg` is trusted markup; `caption` is text.
  void figure(const std::string& svg, std::string_view caption);
  /// Folded preformatted text.
  void folded(std::string_view summary, std::string_view text);

  /// The whole document, UTF-8.
  std::string html() const;

 private:
  std::string title_, subtitle_;
  std::vector<std::string> headings_;
  std::string body_;
  int figures_ = 0;
};

}  // namespace unchannel::report
