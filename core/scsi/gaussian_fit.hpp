#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include <unchannel/interpolant/gaussian_bridge.hpp>
#include <unchannel/measurement/channel.hpp>

#include "observations.hpp"
#include "settings.hpp"

// Shape legend: B rows · D data dimension · R components
namespace unchannel {

/// The linear start: a Gaussian x = m + U a, a ~ N(0, C), fitted to the observations by probing the black box, with per-sample
/// white-noise level ρ. docs/theory/linear_start.md gives the derivation; nothing but runs of F is used.
class GaussianFit {
 public:
  explicit GaussianFit(GaussianModel model);

  /// Fits in `settings.rounds` rounds. Observation moments come from at most 32,768 training rows and 64 MiB of them. `progress` (may be
  /// empty) is told each finished round. Throws NumericalError when the observations have no variance above their noise, ConfigError when
  /// the basis is to be filtered and signals have more than one axis.
  static GaussianFit fit(const Observations& observations, const Channel& channel, const StartSettings& settings, RandomKey key,
                         const std::function<void(std::int64_t)>& progress);

  /// E[x | y] of the Gaussian, [B, D] → [B, D].
  at::Tensor posterior_mean(const at::Tensor& y_BD) const;
  /// E[x | y] plus a residual draw: one exact posterior draw of the Gaussian, so the spread of the signals is preserved.
  at::Tensor posterior_draw(const at::Tensor& y_BD, RandomKey key, const at::Tensor& ids_B) const;

  const GaussianModel& model() const { return model_; }

 private:
  at::Tensor posterior_coordinates(const at::Tensor& q_BR, const at::Tensor& level2_B) const;
  void refresh_tables();

  GaussianModel model_;
  at::Tensor eigenvalues_R_, eigenvectors_RR_, gain_RR_;  // of the noise-free Cov(Uᵀy) and of Cov(a, Vᵀ Uᵀy)
};

}  // namespace unchannel
