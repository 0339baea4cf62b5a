#include "tensor_checks.hpp"

#include <fmt/format.h>

#include <unchannel/base/error.hpp>

namespace unchannel {

at::Tensor checked_layout(const at::Tensor& tensor, at::ScalarType type, std::int64_t rows, std::int64_t row_size,
                          const std::string& what) {
  check<ShapeError>(tensor.defined(), "{}: is missing.", what);
  check<ShapeError>(tensor.scalar_type() == type, "{}: has element type {}; it must be {}.", what, c10::toString(tensor.scalar_type()),
                    c10::toString(type));
  const bool fits = tensor.dim() >= 1 && (rows < 0 || tensor.size(0) == rows) && tensor.numel() == tensor.size(0) * row_size;
  if (!fits) {
    throw ShapeError(fmt::format("{}: has shape [{}]; it must have {} rows of {} elements.", what, fmt::join(tensor.sizes(), ", "),
                                 rows < 0 ? "any number of" : std::to_string(rows), row_size));
  }
  return tensor.contiguous();
}

at::Tensor checked_rows(const at::Tensor& tensor, at::ScalarType type, std::int64_t rows, std::int64_t row_size, const std::string& what) {
  check<ShapeError>(!tensor.defined() || tensor.is_cpu(), "{}: must be in CPU memory.", what);
  return checked_layout(tensor, type, rows, row_size, what);
}

std::int64_t elements_of(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t extent : shape) count *= extent;
  return count;
}

}  // namespace unchannel
