#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/interpolant/gaussian_bridge.hpp>

// Shape legend: R components · D data dimension
namespace unchannel {

/// What a fitted Gaussian says can be recovered from one observation, per eigen-direction v_i of the signal's covariance C, largest variance
/// first. docs/theory/linear_start.md, (2) and (3).
struct Recovery {
  at::Tensor signal_variance_R;     ///< c_i, float64, squared data units
  at::Tensor posterior_variance_R;  ///< v_iᵀ P̄ v_i, mean over the noise levels of the observations
  at::Tensor explained_R;           ///< r_i = 1 − posterior/signal: share of the variance that an observation determines
  double explained = 0.0;           ///< the same of all directions together
  double rmse_posterior_mean = 0.0; ///< √(tr P̄ / D), data units, signals outside the basis taken as zero
  double rmse_preserving = 0.0;     ///< √(Σ 2 c_i (1 − √r_i) / D): the best map that keeps the spread, which the linear start nearly is
};

/// The mean over noise levels is that of `levels` equally likely levels of the fitted law of ln ρ.
Recovery recovery_of(const GaussianModel& model, int levels = 32);

}  // namespace unchannel
