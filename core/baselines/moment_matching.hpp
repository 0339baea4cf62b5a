#pragma once

#include "guided_sampling.hpp"

// Shape legend: B samples · D signal elements · M observation elements
namespace unchannel::baselines {

/// Moment-matching posterior sampling (MMPS, Rozet et al. 2024): x given x_t is taken for Gaussian with the moments of the generator,
/// E = x̂ and V = t² J / (1 − t), so that E[x | x_t, y] = x̂ + V Aᵀ (σ² I + A V Aᵀ)⁻¹ (y − A x̂). Exact for a Gaussian prior.
struct MmpsOptions {
  double noise_sigma = 0.0;     ///< σ > 0, data units: white noise of the elements that count
  double guidance = 1.0;        ///< factor of the correction; 1 is the method
  std::int64_t steps = 256;     ///< equal ones, at least 2
  std::int64_t iterations = 8;  ///< of the conjugate gradients in each step, at most; each costs one backward pass
  double tolerance = 1e-4;      ///< of the residual relative to the right-hand side, at which a sample's iteration ends
};

/// E[x | x_t, y] as above, [B, D]. V of times above 15/16 is that of the last step up to there: at t = 1 both J and 1 − t vanish, and
/// before, t² / (1 − t) multiplies the errors of a network's J. A covariance c is then too small by c²/225 at most, for a sixteenth of the
/// path.
at::Tensor matched_mean(const ConditionalMean& mean, const Measured& measured, const MmpsOptions& options, double t,
                        const at::Tensor& x_BD);

/// One draw for each observation from standard normal z_BD [B, D]: the probability-flow ODE with E[x | x_t, y], by the second-order
/// multistep solver. A deterministic function of z_BD. Throws ConfigError (σ, steps, a mean that is not affine).
at::Tensor sample_mmps(const ConditionalMean& mean, const Measured& measured, const MmpsOptions& options, const at::Tensor& z_BD);

}  // namespace unchannel::baselines
