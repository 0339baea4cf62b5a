#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

// Shape legend: B objects · D signal elements · P planes · H rows · W columns
namespace unchannel::baselines {

/// Curvature of signals and the basis that makes it diagonal: the orthonormal cosine transform (DCT-II), along the one axis of a spectrum
/// [D] or along both axes of each plane of an image [P, H, W].
class CosineBasis {
 public:
  /// Throws ConfigError for signals with another number of axes.
  explicit CosineBasis(const std::vector<std::int64_t>& signal_shape);

  /// Coefficients of signals and signals of coefficients, [B, D] → [B, D] float32; transposes and inverses of each other.
  at::Tensor coefficients(const at::Tensor& x_BD) const;
  at::Tensor signals(const at::Tensor& coefficients_BD) const;
  /// Second differences x₋ − 2x + x₊ with reflecting ends, summed over the axes; symmetric.
  at::Tensor curvature(const at::Tensor& x_BD) const;
  /// What `curvature` squared multiplies each coefficient by [D].
  const at::Tensor& squared_curvature_D() const { return squared_D_; }
  std::int64_t size() const { return squared_D_.size(0); }

 private:
  std::int64_t planes_ = 1;
  at::Tensor rows_HH_, columns_WW_;  // basis functions in rows; undefined rows_HH_: one axis
  at::Tensor squared_D_;
};

}  // namespace unchannel::baselines
