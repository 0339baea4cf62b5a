#include "fits_writer.hpp"

#include <algorithm>
#include <numeric>

#include <unchannel/base/error.hpp>

namespace unchannel::fits {
namespace {

constexpr const char* kAction = "writing (is the disk full?)";

// FITS headers are printable ASCII.
std::string printable(const std::string& text) {
  std::string clean;
  for (const char c : text) clean += c >= 32 && c < 127 ? c : '?';
  return clean;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  return list;
}

}  // namespace

ObjectColumns read_object_columns(const DatasetReader& source) {
  ObjectColumns columns;
  std::vector<std::int64_t> rows(source.rows());
  std::iota(rows.begin(), rows.end(), std::int64_t{0});
  columns.integers.emplace_back("row", std::move(rows));
  for (const std::string& name : source.numeric_columns()) {
    if (name == "row") continue;
    if (name == "object_id")
      columns.integers.emplace_back(name, *source.object_ids());
    else
      columns.numbers.emplace_back(name, *source.numeric_column(name));
  }
  for (const std::string& name : source.text_columns()) columns.texts.emplace_back(name, *source.text_column(name));
  return columns;
}

void write_key(File& file, const std::string& name, const std::string& value, const std::string& comment) {
  int status = 0;
  ::fits_write_key_longstr(file.get(), name.c_str(), printable(value).c_str(), comment.c_str(), &status);
  require(status, file.place(), kAction);
}

void write_key(File& file, const std::string& name, double value, const std::string& comment) {
  int status = 0;
  ::fits_write_key_dbl(file.get(), name.c_str(), value, -15, comment.c_str(), &status);
  require(status, file.place(), kAction);
}

void write_key(File& file, const std::string& name, std::int64_t value, const std::string& comment) {
  int status = 0;
  ::fits_write_key_lng(file.get(), name.c_str(), value, comment.c_str(), &status);
  require(status, file.place(), kAction);
}

void write_provenance(File& file, const DatasetReader& source, const std::string& source_sha256) {
  int status = 0;
  ::fits_write_key_longwarn(file.get(), &status);
  require(status, file.place(), kAction);
  const auto text = [&](const char* attribute) {
    const std::string value = source.attribute(attribute);
    return value.empty() ? std::string("unknown") : value;
  };
  write_key(file, "CREATOR", "unchannel export fits", "program that wrote this file");
  write_key(file, "ORIGIN", text("origin"), "where the data come from");
  write_key(file, "NORMALIS", text("normalisation"), "unit of the values");
  write_key(file, "SRCFILE", source.path().filename().string(), "data file this was made from");
  write_key(file, "SRCHASH", source_sha256, "SHA-256 of that file");
  ::fits_write_date(file.get(), &status);
  ::fits_write_history(file.get(), ("provenance: " + printable(text("provenance"))).c_str(), &status);
  require(status, file.place(), kAction);
}

void create_table(File& file, const std::string& name, std::int64_t rows, const std::vector<std::pair<std::string, std::string>>& columns,
                  const std::vector<std::string>& units) {
  std::vector<std::string> names, formats, unit_texts = units;
  for (const auto& [column, format] : columns) {
    names.push_back(printable(column));
    formats.push_back(format);
  }
  auto name_list = pointers(names), format_list = pointers(formats), unit_list = pointers(unit_texts);
  int status = 0;
  ::fits_create_tbl(file.get(), BINARY_TBL, rows, static_cast<int>(columns.size()), name_list.data(), format_list.data(), unit_list.data(),
                    name.c_str(), &status);
  require(status, file.place(), kAction);
}

void write_column(File& file, int number, const std::vector<double>& values) {
  int status = 0;
  std::vector<double> copy = values;  // CFITSIO's signature is not const
  ::fits_write_col(file.get(), TDOUBLE, number, 1, 1, static_cast<LONGLONG>(copy.size()), copy.data(), &status);
  require(status, file.place(), kAction);
}

void write_column(File& file, int number, const std::vector<std::int64_t>& values) {
  int status = 0;
  std::vector<LONGLONG> copy(values.begin(), values.end());
  ::fits_write_col(file.get(), TLONGLONG, number, 1, 1, static_cast<LONGLONG>(copy.size()), copy.data(), &status);
  require(status, file.place(), kAction);
}

void write_column(File& file, int number, const std::vector<std::string>& values) {
  int status = 0;
  std::vector<std::string> copy;
  for (const std::string& value : values) copy.push_back(printable(value));
  auto list = pointers(copy);
  ::fits_write_col(file.get(), TSTRING, number, 1, 1, static_cast<LONGLONG>(list.size()), list.data(), &status);
  require(status, file.place(), kAction);
}

void write_checksum(File& file) {
  int status = 0;
  ::fits_write_chksum(file.get(), &status);
  require(status, file.place(), kAction);
}

}  // namespace unchannel::fits
