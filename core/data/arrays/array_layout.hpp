#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace unchannel {

/// Shape of an array and where its elements lie.
struct ArrayShape {
  std::vector<std::uint64_t> extents;
  bool column_major = false;  ///< first index fastest (MATLAB, Fortran), else the last one

  /// Product of the extents; saturates instead of overflowing.
  std::uint64_t elements() const noexcept;
};

/// Where the rows of a data file lie in an array. Strides are in elements.
struct RowPlan {
  std::uint64_t rows = 0;
  std::uint64_t row_stride = 0;  ///< from one row to the next
  std::uint64_t row_elements = 0;
  std::vector<std::uint64_t> row_shape;        ///< e.g. [C, H, W]
  std::vector<std::uint64_t> element_strides;  ///< of its axes
  bool contiguous = false;                     ///< row r is the elements [r · row_elements, (r + 1) · row_elements): it can be streamed

  /// Offset of each element of a row from the row's beginning, in the row's order. [row_elements]
  std::vector<std::uint64_t> offsets() const;
};

/// One letter an axis of the array, in its own order: N rows; H height, W width, C planes; or D for axes that stay as they are.
/// Rows become [C, H, W] (C = 1 where it is missing) from any order of H, W and C; axes D keep theirs. "NHWC", "HWN", "ND", "NDD" are
/// examples. Throws ConfigError naming `place` when the letters do not fit the array: their number, a letter twice, no N, H without W, D
/// beside H; DataError when a row would have no element or more than 2^24.
RowPlan plan_rows(const ArrayShape& shape, const std::string& layout, const std::string& place);

/// `extents` in place of the shape's own, as reshape() of NumPy or MATLAB does it. ConfigError when the number of elements differs.
ArrayShape reshaped(const ArrayShape& shape, const std::vector<std::uint64_t>& extents, const std::string& place);

/// "[3, 4, 5]".
std::string shape_text(const std::vector<std::uint64_t>& extents);

}  // namespace unchannel
