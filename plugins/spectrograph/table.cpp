#include "table.hpp"

#include <unchannel/sdk/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>

namespace spectrograph {
namespace {

namespace sdk = unchannel::sdk;

constexpr size_t kMostRows = 100000;
constexpr std::string_view kBlanks = " \t\r";

/// Cuts the next word off `rest`; one comma may stand between two words.
std::string_view next_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const size_t end = std::min(rest.find_first_of(" \t\r,"), rest.size());
  const std::string_view word = rest.substr(0, end);
  rest.remove_prefix(end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  if (rest.starts_with(',')) {
    rest.remove_prefix(1);
  }
  return word;
}

/// Whatever the locale; no sign of a word is left unread.
double number(std::string_view word, const std::string& place) {
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size() || !std::isfinite(value)) {
    throw sdk::bad_argument(place, ": \"", word.substr(0, 40),
                            "\" is not a finite decimal number. Write it as in 5577.34 or 2e-4; # starts a comment.");
  }
  return value;
}

std::vector<TableRow> read_rows(std::istream& stream, const std::string& name, const TableFormat& format) {
  std::vector<TableRow> rows;
  std::string line;
  for (size_t at = 1; std::getline(stream, line); ++at) {
    std::string_view rest = std::string_view(line).substr(0, line.find('#'));
    if (rest.find_first_not_of(kBlanks) == std::string_view::npos) {
      continue;
    }
    TableRow row{sdk::join(name, ":", at), {}};
    while (!rest.empty() && row.values.size() <= format.columns) {
      row.values.push_back(number(next_word(rest), row.place));
    }
    if (row.values.size() != format.columns) {
      throw sdk::bad_argument(row.place, ": a line must hold ", format.columns, " numbers, not ",
                              row.values.size() > format.columns ? "more" : sdk::join(row.values.size()), ": ", format.layout, ".");
    }
    if (rows.size() == kMostRows) {
      throw sdk::bad_argument(row.place, ": ", format.parameter, " takes at most ", kMostRows, " lines. Thin the table out.");
    }
    rows.push_back(std::move(row));
  }
  if (stream.bad() || rows.empty()) {
    throw sdk::bad_argument(name, ": ", format.parameter, " holds no line of numbers. Each must be: ", format.layout, ".");
  }
  return rows;
}

}  // namespace

std::vector<TableRow> rows_of_file(const std::string& file, const TableFormat& format) {
  std::error_code error;
  std::ifstream stream;
  if (std::filesystem::is_regular_file(file, error)) {  // opening a pipe would wait for a writer
    stream.open(file);
  }
  if (!stream.is_open()) {
    throw sdk::bad_argument(format.parameter, " = \"", file,
                            "\" must be a readable text file. Check the path; a relative one starts at the configuration's folder.");
  }
  return read_rows(stream, file, format);
}

std::vector<TableRow> rows_of_text(const std::string& text, const TableFormat& format) {
  std::istringstream stream(text);
  return read_rows(stream, format.parameter, format);
}

}  // namespace spectrograph
