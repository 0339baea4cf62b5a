// Small tables of numbers, in the configuration itself or in a text file that it points to.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace spectrograph {

/// One line: its numbers, and "FILE:LINE" or "PARAMETER:LINE" for messages about them.
struct TableRow {
  std::string place;
  std::vector<double> values;
};

struct TableFormat {
  const char* parameter;
  size_t columns;
  const char* layout;  ///< for messages: "first_angstrom last_angstrom fwhm_ln_lambda"
};

/// Lines of `columns` finite decimal numbers, separated by blanks or one comma; `#` starts a comment, empty lines are skipped, 1 to 100,000
/// rows. Throw BAD_ARGUMENT with place, rule, value and remedy.
std::vector<TableRow> rows_of_file(const std::string& file, const TableFormat& format);
std::vector<TableRow> rows_of_text(const std::string& text, const TableFormat& format);

}  // namespace spectrograph
