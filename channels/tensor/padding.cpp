#include "padding.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

/// Where in the signal the elements beyond each end come from: `width` elements from `left` and from `right`, reversed or not.
struct Sources {
  std::int64_t left, right;
  bool reversed;
};

Sources sources(std::int64_t extent, std::int64_t width, Boundary boundary) {
  switch (boundary) {
    case Boundary::kMirror:
      return {1, extent - 1 - width, true};
    case Boundary::kReflect:
      return {0, extent - width, true};
    default:
      return {extent - width, 0, false};
  }
}

at::Tensor oriented(const at::Tensor& part, std::int64_t dim, bool reversed) { return reversed ? part.flip({dim}) : part; }

}  // namespace

const std::vector<std::string>& boundary_names() {
  static const std::vector<std::string> names = {"mirror", "reflect", "periodic", "zero"};
  return names;
}

Boundary boundary_from(const std::string& name) {
  return static_cast<Boundary>(std::find(boundary_names().begin(), boundary_names().end(), name) - boundary_names().begin());
}

at::Tensor pad(const at::Tensor& tensor, std::int64_t dim, std::int64_t width, Boundary boundary) {
  if (width == 0) return tensor;
  if (boundary == Boundary::kZero) {
    std::vector<std::int64_t> shape = tensor.sizes().vec();
    shape[static_cast<std::size_t>(dim)] = width;
    const at::Tensor nothing = at::zeros(shape, tensor.options());
    return at::cat({nothing, tensor, nothing}, dim);
  }
  const Sources from = sources(tensor.size(dim), width, boundary);
  return at::cat({oriented(tensor.narrow(dim, from.left, width), dim, from.reversed), tensor,
                  oriented(tensor.narrow(dim, from.right, width), dim, from.reversed)},
                 dim);
}

at::Tensor fold(const at::Tensor& padded, std::int64_t dim, std::int64_t width, Boundary boundary) {
  if (width == 0) return padded;
  const std::int64_t extent = padded.size(dim) - 2 * width;
  at::Tensor folded = padded.narrow(dim, width, extent).clone();
  if (boundary == Boundary::kZero) return folded;
  const Sources from = sources(extent, width, boundary);
  folded.narrow(dim, from.left, width).add_(oriented(padded.narrow(dim, 0, width), dim, from.reversed));
  folded.narrow(dim, from.right, width).add_(oriented(padded.narrow(dim, width + extent, width), dim, from.reversed));
  return folded;
}

void check_padding(const std::string& channel, std::int64_t extent, std::int64_t width, Boundary boundary) {
  const std::int64_t most = boundary == Boundary::kZero ? width : extent - (boundary == Boundary::kMirror ? 1 : 0);
  check<ConfigError>(width <= most,
                     "channel {}: the kernel reaches {} pixels beyond the border, but an axis of {} pixels allows {} with boundary '{}'. "
                     "Choose a narrower blur, or boundary 'zero'.",
                     channel, width, extent, most, boundary_names()[static_cast<std::size_t>(boundary)]);
}

}  // namespace unchannel
