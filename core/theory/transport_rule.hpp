#pragma once

#include <functional>

namespace unchannel::theory {

/// A schedule at one time and its rates. Of γ only γ² and its rate enter, which stay finite where γ' does not.
struct SchedulePoint {
  double alpha, beta, alpha_rate, beta_rate;
  double gamma_squared = 0.0, gamma_squared_rate = 0.0;
};

/// How an iterate's transport is made: I_t = α x + β y + γ z [SCSI, eq. 1], t = 0 the signal, t = 1 the observation, and the reverse SDE
/// dX = (b − ε s) dt + √(2ε) dW̄ from t = 1 to 0 [SCSI, eq. 4, s the score]; or draws from the exact posterior.
struct TransportRule {
  /// Integrals that are known, docs/theory/gaussian_recursion.md eq. 9 to 12; all for additive noise (H = I).
  enum class Known { kNothing, kLinear, kLinearGrowing, kDiffusion };

  std::function<SchedulePoint(double t)> schedule;
  std::function<double(double t)> epsilon;  ///< ≥ 0, squared data units per unit of t
  /// z ~ N(0, R) instead of N(0, I): the path of the diffusion that the channel itself is.
  bool gamma_like_noise = false;
  /// Expectation and maximisation: a restoration is a draw of x given y under the iterate; schedule and ε are not used.
  bool posterior_sampling = false;
  Known known = Known::kNothing;
  double epsilon_scale = 0.0;  ///< ε of kLinear and kDiffusion (constant), ε/t of kLinearGrowing

  static TransportRule linear(double epsilon);          ///< α = 1−t, β = t, γ = 0; ε constant
  static TransportRule linear_growing(double epsilon);  ///< the same, ε(t) = ε t; ε = σ² is the posterior of y = x + σ n
  static TransportRule stochastic(double epsilon, double gamma_scale = 1.0);  ///< as linear, γ = a t(1−t)
  static TransportRule trigonometric(double epsilon);                         ///< α = cos(πt/2), β = sin(πt/2), γ = 0
  static TransportRule polynomial(double epsilon, double power);              ///< α = 1−t^p, β = t^p, γ = 0
  /// dX = R^½ dW from x to y in its own time t [SCSI, eq. 12, f = 0]: α = 1−t, β = t, γ = √(t(1−t)), z ~ N(0, R).
  static TransportRule diffusion(double epsilon);
  static TransportRule posterior();
  /// Any schedule and any ε(t) ≥ 0; the rates must belong to it.
  static TransportRule of(std::function<SchedulePoint(double)> schedule, std::function<double(double)> epsilon);
};

}  // namespace unchannel::theory
