#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include <unchannel/base/config.hpp>

// Shape legend: G groups of equal time · N samples of a group · D data dimension
namespace unchannel {

/// Which path joins signal and observation, and with what noise transport runs along it.
struct InterpolantSettings {
  std::string kind = "linear";
  double power = 2.0;
  std::string gamma = "none";
  double gamma_scale = 1.0;
  double epsilon = 0.0;
  std::string epsilon_schedule = "constant";
  double noise_sigma = 0.0;
  std::int64_t time_levels = 64;

  void visit(SettingsVisitor& visitor);
  /// Rules that concern more than one key. Throws ConfigError.
  void check_consistency() const;
};

/// Schedules and their time derivatives at one t.
struct Schedule {
  double alpha, beta, gamma;
  double alpha_rate, beta_rate, gamma_rate;
};

/// I_t = α_t x + β_t y + γ_t z with z ~ N(0, I), t ∈ [0, 1]; t = 0 is the signal, t = 1 the observation [SCSI, eq. 1].
///   linear          α = 1−t, β = t
///   trigonometric   α = cos(πt/2), β = sin(πt/2)
///   polynomial      α = 1−t^p, β = t^p
///   fokker_planck   the diffusion dX = σ dW that is the channel y = x + σn itself [SCSI, eq. 12], in the clock t = √time:
///                   α = 1−t², β = t², γ = σ t √(1−t²)
/// γ of the others: none 0, quadratic a t(1−t), sine_squared a sin²(πt). Formulas and their derivations: docs/theory/interpolants.md.
/// The drift is learnt at the times i/time_levels, i = 1 … time_levels; transport steps on the same grid.
class Interpolant {
 public:
  /// Throws ConfigError when the settings contradict each other.
  explicit Interpolant(const InterpolantSettings& settings);

  const InterpolantSettings& settings() const { return settings_; }
  /// z enters I_t.
  bool draws_noise() const { return fokker_planck() || settings_.gamma != "none"; }
  /// The network has to learn E[z | I_t] too: z enters, and nothing else gives the score.
  bool learns_denoiser() const { return settings_.gamma != "none"; }
  /// Transport is the reverse SDE: a restoration is random.
  bool stochastic() const { return settings_.epsilon_schedule == "posterior" || settings_.epsilon > 0.0; }
  /// With constant E[x | I] each path is x̂ + t·const: what the multistep solver integrates exactly.
  bool straight() const { return !learns_denoiser() && (settings_.kind == "linear" || fokker_planck()); }
  /// ε(t) of the reverse SDE, in squared data units per unit of t.
  double epsilon(double t) const;
  std::int64_t levels() const { return settings_.time_levels; }
  double time_of(std::int64_t level) const { return static_cast<double>(level) / static_cast<double>(settings_.time_levels); }
  Schedule at(double t) const;
  /// The share of an observation's corruption that I_t holds: t where paths are straight, else β.
  double corruption(double t) const { return fokker_planck() ? t : at(t).beta; }

  /// x_GND, y_GND and (draws_noise only) z_GND → I_t, group g at time t_G[g].
  at::Tensor mix(const at::Tensor& t_G, const at::Tensor& x_GND, const at::Tensor& y_GND, const at::Tensor& z_GND) const;

  /// Drift from the two conditional means x̂ = E[x | I] and ẑ = E[z | I]: ŷ follows from I itself, since I = α x̂ + β ŷ + γ ẑ, so
  /// b = E[İ | I] = α̇ x̂ + β̇ ŷ + γ̇ ẑ; for fokker_planck, (I − x̂)/t. Needs t > 0.
  at::Tensor drift(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const;

  /// −∇ log p(I_t): ẑ/γ, or (I − (α+β) x̂)/(β²σ²) from the channel's own noise. Undefined where neither is known.
  at::Tensor negative_score(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const;

 private:
  bool fokker_planck() const { return settings_.kind == "fokker_planck"; }
  InterpolantSettings settings_;
};

}  // namespace unchannel
