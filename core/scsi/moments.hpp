#pragma once

#include <ATen/core/Tensor.h>

// Shape legend: N rows · D data dimension · R components
namespace unchannel {

/// Weighted mean [D] and covariance [D, D], float64.
struct Moments {
  at::Tensor mean_D;
  at::Tensor covariance_DD;
};
Moments weighted_moments(const at::Tensor& y_ND, const at::Tensor& weight_N);

/// Largest `rank` eigenvalues in falling order and their orthonormal vectors, float64.
struct Spectrum {
  at::Tensor values_R;
  at::Tensor vectors_DR;
};
Spectrum leading_eigenvectors(const at::Tensor& covariance_DD, std::int64_t rank);

/// Average of a covariance along its diagonals with a Gaussian of `width` elements (edges: nearest): what it would be if the
/// statistics were the same in the neighbourhood. Lowers the sampling noise of signals whose phase varies (redshifts, shifts).
at::Tensor smooth_along_diagonals(const at::Tensor& covariance_DD, double width);

}  // namespace unchannel
