#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "../dataset.hpp"
#include "fits_file.hpp"

namespace unchannel::fits {

/// Values and names of a data file's [N] columns, read once for an export.
struct ObjectColumns {
  std::vector<std::pair<std::string, std::vector<std::int64_t>>> integers;  ///< row, object_id
  std::vector<std::pair<std::string, std::vector<double>>> numbers;
  std::vector<std::pair<std::string, std::vector<std::string>>> texts;
};
ObjectColumns read_object_columns(const DatasetReader& source);

/// Keyword with text of any length (CONTINUE cards), number or integer, with a comment.
void write_key(File& file, const std::string& name, const std::string& value, const std::string& comment);
void write_key(File& file, const std::string& name, double value, const std::string& comment);
void write_key(File& file, const std::string& name, std::int64_t value, const std::string& comment);

/// ORIGIN, NORMALIS, SRCFILE, SRCHASH, CREATOR, DATE and the provenance as HISTORY, in the current HDU.
void write_provenance(File& file, const DatasetReader& source, const std::string& source_sha256);

/// A new binary table; columns are pairs of name and TFORM, units parallel to them ("" for none).
void create_table(File& file, const std::string& name, std::int64_t rows, const std::vector<std::pair<std::string, std::string>>& columns,
                  const std::vector<std::string>& units);

/// Column `number` (from 1) of the current table.
void write_column(File& file, int number, const std::vector<double>& values);
void write_column(File& file, int number, const std::vector<std::int64_t>& values);
void write_column(File& file, int number, const std::vector<std::string>& values);

/// DATASUM and CHECKSUM of the current HDU.
void write_checksum(File& file);

}  // namespace unchannel::fits
