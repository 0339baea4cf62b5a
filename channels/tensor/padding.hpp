#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

namespace unchannel {

/// What lies beyond the border of a signal a b c d.
enum class Boundary {
  kMirror,    ///< d c b | a b c d | c b a: the border itself is not repeated
  kReflect,   ///< c b a | a b c d | d c b
  kPeriodic,  ///< b c d | a b c d | a b c
  kZero,      ///< 0 0 0 | a b c d | 0 0 0
};

/// Their names in configurations, in the order of the enumeration.
const std::vector<std::string>& boundary_names();
/// `name` is one of boundary_names().
Boundary boundary_from(const std::string& name);

/// `tensor` with `width` more elements at both ends of dimension `dim`. 0 ≤ width ≤ its extent, less one for kMirror.
at::Tensor pad(const at::Tensor& tensor, std::int64_t dim, std::int64_t width, Boundary boundary);
/// The transpose of pad: adds what belongs to padded elements to the elements they were copied from.
at::Tensor fold(const at::Tensor& padded, std::int64_t dim, std::int64_t width, Boundary boundary);

/// Throws ConfigError when pad could not add `width` elements to an axis of this extent.
void check_padding(const std::string& channel, std::int64_t extent, std::int64_t width, Boundary boundary);

}  // namespace unchannel
