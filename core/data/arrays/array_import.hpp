#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "../archive/byte_source.hpp"
#include "../import_options.hpp"
#include "array_layout.hpp"
#include "number_format.hpp"

namespace unchannel {

/// An array of a file whose header was read: what it is, and its numbers still to come.
struct ArrayStream {
  ArrayShape shape;
  NumberFormat format;
  std::unique_ptr<ByteSource> numbers;  ///< shape.elements() numbers
  std::shared_ptr<void> keeps_alive;    ///< what `numbers` reads from, if it does not own it
};

struct ArrayImportOptions : ImportOptions {
  std::string layout;                              ///< see plan_rows(); empty: the default of the file's format
  std::vector<std::uint64_t> reshape;              ///< see reshaped(); empty: as stored
  std::optional<std::pair<double, double>> range;  ///< stored numbers that become the ends of the scale; without it those of the type
};

/// One number a row from an array of rank 1, or of rank 2 with one axis of length 1. Throws DataError when it is anything else.
std::vector<double> read_labels(ArrayStream& labels);

/// Rows of an array into a data file, with object_id (the row's number in the array) and, if `labels` are given, the column label.
///
/// Rows that lie one after the other in the file are streamed; other layouts need the array in memory, at most 2 GiB of it. Booleans and
/// integers of 8 and 16 bits are scaled from their type's range to −1 … 1 unless options.scale says otherwise; other numbers stay as they
/// are unless options.range gives the numbers to scale from. Throws ConfigError (layout, reshape, scale without range), DataError (cut off,
/// more bytes than announced, as many labels as rows, numbers that are not finite; the message names row and element).
ImportReport import_array(ArrayStream array, std::optional<std::vector<double>> labels, const ArrayImportOptions& options,
                          const std::string& origin, const std::filesystem::path& output, const ImportProgress& progress = {});

}  // namespace unchannel
