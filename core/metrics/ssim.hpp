#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

// Shape legend: N images · P planes · H, W height and width
namespace unchannel::metrics {

/// Smallest height and width that the window of structural_similarity fits into.
inline constexpr std::int64_t kSmallestSsimImage = 11;

/// Structural similarity of each pair of images, averaged over planes and over all places where the window fits [Wang et al. 2004, eq. 13]:
/// Gaussian window of 11 x 11 pixels and σ = 1.5, C₁ = (0.01 L)², C₂ = (0.03 L)², variances with divisor 1. [N] float64, 1 for equal images.
/// `data_range` is L, in data units. Throws ShapeError (not [N, P, H, W], shapes differ, H or W below 11), ConfigError (L not positive).
at::Tensor structural_similarity(const at::Tensor& restored_NPHW, const at::Tensor& truth_NPHW, double data_range);

}  // namespace unchannel::metrics
