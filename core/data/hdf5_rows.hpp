#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "element_type.hpp"
#include "hdf5_handle.hpp"

namespace unchannel::hdf5 {

/// One dataset of an open file, read by rows (its first axis). Checks what an untrusted file may get wrong before any memory
/// is taken: hard link, rank ≥ 1, known element type, no storage outside the file, row and chunk sizes within limits.
class RowDataset {
 public:
  /// `place` is the file's name for messages; `name` the dataset's path, e.g. "latents/angle". Throws DataError.
  RowDataset(hid_t file, const std::string& name, const std::string& place);

  std::uint64_t rows() const noexcept { return rows_; }
  /// Shape without the first axis; empty for [N].
  const std::vector<std::uint64_t>& row_shape() const noexcept { return row_shape_; }
  /// Elements in a row (1 for [N]).
  std::uint64_t row_size() const noexcept { return row_size_; }
  ElementType type() const noexcept { return type_; }
  /// Rows in one storage chunk; 0 for contiguous storage.
  std::uint64_t chunk_rows() const noexcept { return chunk_rows_; }
  /// Bytes the rows take in memory, after checking that the file stores enough for them: no compression of HDF5's exceeds
  /// 1:1100, so a small file cannot claim a huge column. Throws DataError. For reading a column whole.
  std::uint64_t checked_bytes() const;
  /// Text attribute of the dataset; empty when absent.
  std::string attribute(const std::string& key) const { return read_text_attribute(dataset_.get(), key, place_); }
  /// "file: /dataset", for messages.
  const std::string& place() const noexcept { return place_; }

  /// Reads rows [first, first + count) into `out` (count × row_size elements of the dataset's own type `type()`).
  void read(std::uint64_t first, std::uint64_t count, ElementType type, void* out) const;
  /// Reads the rows `indices`, in their order; neighbours in the file are read together.
  void gather(std::span<const std::uint64_t> indices, ElementType type, void* out) const;

 private:
  void check_type(hid_t type);
  void check_storage(hid_t creation);

  Handle dataset_;
  std::string place_;
  std::vector<std::uint64_t> row_shape_;
  std::uint64_t rows_ = 0;
  std::uint64_t row_size_ = 1;
  std::uint64_t chunk_rows_ = 0;
  ElementType type_ = ElementType::float32;
};

/// HDF5's in-memory type of an element.
hid_t memory_type(ElementType type);

/// Reads a one-dimensional dataset of text (fixed or variable length). Each entry at most 64 KiB. Throws DataError.
std::vector<std::string> read_text_rows(hid_t file, const std::string& name, const std::string& place);

}  // namespace unchannel::hdf5
