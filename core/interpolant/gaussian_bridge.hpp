#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <string>

#include "interpolant.hpp"

// Shape legend: G groups of equal time · N samples of a group · D data dimension · R basis dimension · L time levels
namespace unchannel {

/// A Gaussian model of the pair (signal, observation) in a reduced basis, as fitted by probing the channel.
///   x = m + U a,   a ~ N(0, C)
///   Uᵀ(y − m) = q + Gᵀ a + e + ρ ξ,   e ~ N(0, E): what hidden latents of the channel scatter beyond the white noise
///   y outside span(U) is white with the same level ρ, which differs from sample to sample. Where U spans everything, ρ² = kNoLevel and
///   all noise is in E
struct GaussianModel {
  at::Tensor mean_D;         ///< m
  at::Tensor basis_DR;       ///< U, orthonormal columns
  at::Tensor covariance_RR;  ///< C, float64
  at::Tensor response_RR;    ///< G, float64: linear response of the observation to the signal
  at::Tensor excess_RR;      ///< E, float64, positive semidefinite
  at::Tensor shift_R;        ///< q = Uᵀ(E[y] − m)
  double log_level_mean = 0.0;    ///< mean and standard deviation of ln ρ over observations
  double log_level_std = 1.0;

  std::int64_t dimension() const { return mean_D.size(0); }
  std::int64_t rank() const { return basis_DR.size(1); }
  std::map<std::string, at::Tensor> tensors() const;
  static GaussianModel from_tensors(const std::map<std::string, at::Tensor>& tensors);
};

/// Closed-form conditional means of the Gaussian model along an interpolant, tabulated at the time levels. It is the fixed skip
/// of the drift model: with the network at zero, transport is the exact transport of the fitted Gaussian. The level ρ of each
/// sample enters exactly, because At(ρ) = (noise-free covariance) + (β²ρ² + γ²) I shares its eigenvectors for every ρ.
/// Derivation: docs/theory/gaussian_bridge.md.
class GaussianBridge {
 public:
  static constexpr double kNoLevel = 1e-12;

  GaussianBridge(GaussianModel model, const Interpolant& interpolant);

  struct Features {
    at::Tensor whitened_GNR;  ///< coordinates of I_t, order one
    at::Tensor signal_GNR;    ///< E[a | I_t] of the Gaussian
    at::Tensor noise_GNR;     ///< Uᵀ E[z | I_t]; undefined for γ = 0
    at::Tensor log_level_GN;  ///< standardised ln ρ of each sample
    at::Tensor outside_GN;    ///< ρ²
  };
  /// level_G int64 in [1, L]; interpolated_GND: I_t of each group.
  Features evaluate(const at::Tensor& level_G, const at::Tensor& interpolated_GND) const;

  /// Signal coordinates → elements, m + U a; and back, Uᵀ(x − m).
  at::Tensor decode(const at::Tensor& coordinates) const;
  at::Tensor encode(const at::Tensor& signal) const;

  /// Standard deviations of a given I_t at the mean level [L, R]: the natural scale of what a network adds.
  const at::Tensor& residual_scale_LR() const { return scale_LR_; }
  /// Trace of that conditional covariance [L]: the natural weight of the loss at each time.
  const at::Tensor& residual_trace_L() const { return trace_L_; }
  const GaussianModel& model() const { return model_; }

 private:
  GaussianModel model_;
  Interpolant interpolant_;
  at::Tensor eigenvalues_LR_, eigenvectors_LRR_, gain_LRR_, scale_LR_, trace_L_;
  at::Tensor beta2_L_, gamma_L_, mix_L_;
};

}  // namespace unchannel
