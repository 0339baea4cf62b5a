#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include <unchannel/data/dataset.hpp>

// Shape legend: N objects · D elements of a signal
namespace unchannel {

/// A data file and the row of each object in it.
struct ObjectFile {
  DatasetReader reader;
  std::optional<std::unordered_map<std::int64_t, std::uint64_t>> row_of;  ///< absent: the file has no ids

  /// Throws DataError when an object_id occurs twice.
  explicit ObjectFile(const std::string& path, std::optional<DatasetKind> expected = std::nullopt);
};

/// The first rows of a file, whose objects are looked for in other files.
struct WantedObjects {
  std::string path;                              ///< the file, for messages
  std::uint64_t file_rows = 0, count = 0;        ///< rows of the file, and how many of them are wanted
  std::optional<std::vector<std::int64_t>> ids;  ///< [count]; absent: the file has none
};
/// The first `most` rows of `reader`, or all.
WantedObjects wanted_objects(const DatasetReader& reader, std::uint64_t most);

/// Rows of `file` that hold the objects, in their order; by row number where neither file has ids. `remedy` ends the message on objects
/// that are not in it. Throws DataError.
std::vector<std::uint64_t> matched_rows(const ObjectFile& file, const WantedObjects& wanted,
                                        const char* remedy = "Give the file these observations were made from.");

/// Signals of `rows` as float32 [N, dim]; of several transport samples of an object the first. Throws ShapeError when a row is neither.
at::Tensor read_restored(const DatasetReader& reader, const std::vector<std::uint64_t>& rows, std::uint64_t dim);

}  // namespace unchannel
