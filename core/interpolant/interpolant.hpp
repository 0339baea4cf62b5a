#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include <unchannel/base/config.hpp>

// Shape legend: G groups of equal time · N samples of a group · D data dimension
namespace unchannel {

/// Which path joins signal and observation, and how transport runs along it.
struct InterpolantSettings {
  std::string kind = "linear";
  double epsilon = 0.1;
  std::int64_t time_levels = 64;

  void visit(SettingsVisitor& visitor);
};

/// Schedules and their time derivatives at one t.
struct Schedule {
  double alpha, beta, gamma;
  double alpha_rate, beta_rate, gamma_rate;
};

/// I_t = α_t x + β_t y + γ_t z with z ~ N(0, I), t ∈ [0, 1]; t = 0 is the signal [SCSI, eq. 1].
///   linear:     α = 1−t, β = t, γ = 0
///   stochastic: α = 1−t, β = t, γ = t(1−t), transported by the reverse SDE with constant ε [SCSI, eq. 4]
/// The drift is learnt at the times i/time_levels, i = 1 … time_levels; transport steps on the same grid.
class Interpolant {
 public:
  explicit Interpolant(const InterpolantSettings& settings) : settings_(settings) {}

  bool stochastic() const { return settings_.kind == "stochastic"; }
  double epsilon() const { return stochastic() ? settings_.epsilon : 0.0; }
  std::int64_t levels() const { return settings_.time_levels; }
  double time_of(std::int64_t level) const { return static_cast<double>(level) / static_cast<double>(settings_.time_levels); }
  Schedule at(double t) const;

  /// x_GND, y_GND and (stochastic only) z_GND → I_t, group g at time t_G[g].
  at::Tensor mix(const at::Tensor& t_G, const at::Tensor& x_GND, const at::Tensor& y_GND, const at::Tensor& z_GND) const;

  /// Drift E[İ | I] from the two conditional means x̂ = E[x | I] and ẑ = E[z | I]: ŷ follows from I itself, since
  /// I = α x̂ + β ŷ + γ ẑ, so b = α̇ x̂ + β̇ ŷ + γ̇ ẑ. Needs t > 0.
  at::Tensor drift(double t, const at::Tensor& interpolated, const at::Tensor& signal, const at::Tensor& noise) const;

 private:
  InterpolantSettings settings_;
};

}  // namespace unchannel
