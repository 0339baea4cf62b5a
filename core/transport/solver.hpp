#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include <unchannel/base/config.hpp>
#include <unchannel/base/random.hpp>

// Shape legend: N samples · D data dimension
namespace unchannel {

/// One way to integrate from t = 1 to t = 0.
struct Integration {
  std::string solver;
  std::int64_t steps;
  std::int64_t batch;  ///< samples at once

  /// Drift evaluations for one sample.
  std::int64_t drift_calls() const { return steps * (solver == "heun" || solver == "midpoint" ? 2 : 1); }
};

/// How transports are integrated while training and in restorations and evaluations.
struct TransportSettings {
  std::string solver = "heun";
  std::int64_t steps = 8;
  std::string restore_solver = "same";
  std::int64_t restore_steps = 16;
  std::int64_t batch = 1024;

  Integration in_training() const { return {solver, steps, batch}; }
  Integration in_restoration() const { return {restore_solver == "same" ? solver : restore_solver, restore_steps, batch}; }
  void visit(SettingsVisitor& visitor);
};

/// Drift b(t, X) of the probability-flow ODE, X [N, D] → [N, D]. Only called for t > 0.
using DriftFunction = std::function<at::Tensor(double t, const at::Tensor& x_ND)>;

/// Drift and ε·score-term of the reverse SDE at once: returns {b, g/γ} at t; g/γ undefined where γ = 0.
struct SdeTerms {
  at::Tensor drift_ND;
  at::Tensor noise_over_gamma_ND;
};
using SdeFunction = std::function<SdeTerms(double t, const at::Tensor& x_ND)>;

/// Integrates Ẋ = b from t = 1 to exactly t = 0 in `steps` equal steps [SCSI, eq. 2].
///   euler      first order, one drift a step
///   heun       second order, two drifts a step; the last step is Euler, because the drift exists only as a limit at t = 0
///   midpoint   second order, two drifts a step, never touches t = 0
///   multistep  second order, one drift a step: the conditional mean x̂ = X − t b is extrapolated from the previous step and the
///              linear part of the drift is integrated exactly (for α = 1−t, β = t, γ = 0 only)
/// Throws ConfigError for an unknown solver.
at::Tensor integrate_ode(const DriftFunction& drift, at::Tensor x_ND, const std::string& solver, std::int64_t steps);

/// Integrates the reverse SDE dX = b dt + ε γ⁻¹ g dt + √(2ε) dW̄ [SCSI, eq. 4] by Euler–Maruyama. ε is zero in the first and the
/// last step, where γ vanishes; any ε(t) ≥ 0 is admissible. Noise is Philox by (key, ids, step).
at::Tensor integrate_sde(const SdeFunction& terms, at::Tensor x_ND, double epsilon, std::int64_t steps, RandomKey key,
                         const at::Tensor& ids_N);

/// Standard normals [ids, D]: row i is a pure function of (key, ids[i]).
at::Tensor normal_rows(RandomKey key, const at::Tensor& ids_N, std::int64_t dimension);

}  // namespace unchannel
