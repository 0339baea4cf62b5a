#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace unchannel {

/// The tensor itself, or a contiguous copy, when it is of type `type` and has `rows` rows of `row_size` elements, on any device. Throws
/// ShapeError naming `what` (e.g. "channel org.x.y: x_BD"). rows < 0: any number.
at::Tensor checked_layout(const at::Tensor& tensor, at::ScalarType type, std::int64_t rows, std::int64_t row_size, const std::string& what);

/// The same for a buffer whose pointer is taken: it must be in CPU memory.
at::Tensor checked_rows(const at::Tensor& tensor, at::ScalarType type, std::int64_t rows, std::int64_t row_size, const std::string& what);

/// Product of the extents.
std::int64_t elements_of(const std::vector<std::int64_t>& shape);

}  // namespace unchannel
