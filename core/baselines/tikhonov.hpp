#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/measurement/channel.hpp>

#include "cosine_basis.hpp"

// Shape legend: B objects · D signal pixels · M observation pixels
namespace unchannel::baselines {

/// Settings of the conjugate gradients.
struct TikhonovOptions {
  std::int64_t max_iterations = 200;
  double tolerance = 1e-4;  ///< of the gradient's norm relative to the right-hand side's, for the worst object
};

/// The per-observation solver: x = argmin Σ_m ivar_m (y − F̄(x))²_m + strength Σ_d (curvature of x at d)², see CosineBasis, where
/// F̄ = mean(·; latents) is affine in x. It sees one observation at a time and knows its noise.
class Tikhonov {
 public:
  /// latents: every latent of the channel, [B, L…], also the ones hidden from a model (the mean line spread, gain 1). The signal is a
  /// spectrum or an image. Keeps a reference to the channel.
  /// Throws ConfigError when the channel has no `mean` or no `vjp`, or the signal has another rank; ShapeError, DataError.
  Tikhonov(const Channel& channel, Latents latents, const at::Tensor& y_BM, const at::Tensor& ivar_BM, TikhonovOptions options = {});

  /// Solution for one strength ≥ 0, float32 [B, D]. Batched conjugate gradients on the channel's mean and vjp, preconditioned in the
  /// cosine basis by the response measured there: exact for a convolution with reflecting ends. Throws NumericalError on divergence.
  at::Tensor solve(double strength) const;
  /// Largest relative gradient of the last `solve`, and the steps it took. It also ends when ten steps bring less than a factor of two:
  /// float32 has no more to give.
  double last_residual() const { return residual_; }
  std::int64_t last_iterations() const { return iterations_; }

  /// The same solver for the first `rows` observations.
  Tikhonov head(std::int64_t rows) const;
  std::int64_t rows() const { return data_BM_.size(0); }

 private:
  at::Tensor forward(const at::Tensor& x_BD) const;
  at::Tensor adjoint(const at::Tensor& v_BM) const;

  const Channel& channel_;
  Latents latents_;
  at::Tensor offset_BM_, weight_BM_, data_BM_;
  CosineBasis basis_;
  at::Tensor response_squared_D_;
  TikhonovOptions options_;
  mutable double residual_ = 0;
  mutable std::int64_t iterations_ = 0;
};

/// The strength whose solution is nearest to the *truth* (least RMSE), out of a geometric grid, then refined once between its neighbours;
/// at most the first `max_objects` are used, the strength is one number.
/// Using the truth flatters the method: report it as "Tikhonov, tuned on truth".
struct TunedStrength {
  double strength = 0;
  double rmse = 0;
  std::vector<double> tried_strength, tried_rmse;
};
TunedStrength tune_on_truth(const Tikhonov& solver, const at::Tensor& truth_BD, double smallest = 1e-2, double largest = 1e8, std::int64_t points = 11,
                             std::int64_t max_objects = 512);

}  // namespace unchannel::baselines
