#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <string>

#include <unchannel/base/config.hpp>
#include <unchannel/base/random.hpp>

// Shape legend: N samples · A of them, still under way · D data dimension
namespace unchannel {

/// One way to integrate from t = 1 to t = 0.
struct Integration {
  std::string solver;
  std::int64_t steps;
  std::int64_t batch;      ///< samples at once
  double tolerance = 0.0;  ///< adaptive only

  /// Smallest number of equal parts of [0, 1] at whose borders the drift is evaluated; `noise`: the reverse SDE.
  std::int64_t grid(bool noise) const { return solver == "midpoint" && !noise ? 2 * steps : steps; }
  /// Drift evaluations for one sample.
  std::int64_t drift_calls() const { return steps * (solver == "heun" || solver == "midpoint" ? 2 : 1); }
};

/// How transports are integrated while training and in restorations and evaluations.
struct TransportSettings {
  std::string solver = "heun";
  std::int64_t steps = 8;
  std::int64_t coarse_steps = 0;
  double coarse_share = 0.5;
  std::string restore_solver = "same";
  std::int64_t restore_steps = 16;
  double tolerance = 1e-3;
  std::int64_t batch = 1024;

  /// `progress`: share of the training that is done.
  Integration in_training(double progress) const {
    return {solver, coarse_steps > 0 && progress < coarse_share ? coarse_steps : steps, batch, tolerance};
  }
  Integration in_restoration() const { return {restore_solver == "same" ? solver : restore_solver, restore_steps, batch, tolerance}; }
  void visit(SettingsVisitor& visitor);
};

/// Drift b(t, X) of the probability-flow ODE, X [N, D] → [N, D]. Only called for t > 0.
using DriftFunction = std::function<at::Tensor(double t, const at::Tensor& x_ND)>;

/// The drift of A of the rows, row_A [A] their numbers, each at a time of its own: level_A [A] int64 in [1, L] stands for t = level/L.
using RowDriftFunction = std::function<at::Tensor(const at::Tensor& level_A, const at::Tensor& x_AD, const at::Tensor& row_A)>;

/// Both terms of the reverse SDE at t: the drift b, and −∇ log p = g/γ, undefined where it is not known.
struct SdeTerms {
  at::Tensor drift_ND;
  at::Tensor negative_score_ND;
};
using SdeFunction = std::function<SdeTerms(double t, const at::Tensor& x_ND)>;

/// Integrates Ẋ = b from t = 1 to exactly t = 0 in `steps` equal steps [SCSI, eq. 2].
///   euler      first order, one drift a step
///   heun       second order, two drifts a step; the last step is Euler, because the drift exists only as a limit at t = 0
///   midpoint   second order, two drifts a step, never touches t = 0
///   multistep  second order, one drift a step: the conditional mean x̂ = X − t b is extrapolated from the previous step and the
///              linear part of the drift is integrated exactly (straight interpolants only)
/// Throws ConfigError for an unknown solver.
at::Tensor integrate_ode(const DriftFunction& drift, at::Tensor x_ND, const std::string& solver, std::int64_t steps);

/// Integrates Ẋ = b from t = 1 to t = 0 with the embedded pair Heun/Euler of orders 2(1). Every row chooses its own steps, whole
/// multiples of 1/levels, so that half the difference of the slopes times the step stays below `tolerance` · `scale` (root mean square
/// over D); a step of one level is always taken. A row's path does not depend on the other rows.
at::Tensor integrate_adaptive(const RowDriftFunction& drift, const at::Tensor& x_ND, std::int64_t levels, double tolerance, double scale);

/// Integrates the reverse SDE dX = b dt + ε γ⁻¹ g dt + √(2ε) dW̄ [SCSI, eq. 4] for ε(t) ≥ 0; any keeps the law of I_t.
///   euler  Euler–Maruyama, weak order 1     heun  weak order 2 for noise that does not depend on X, two evaluations a step
/// Where the score is not known, and in the last step, the step is that of the ODE. Noise is Philox by (key, ids, step).
/// Throws ConfigError for another solver.
at::Tensor integrate_sde(const SdeFunction& terms, at::Tensor x_ND, const std::function<double(double)>& epsilon, const std::string& solver,
                         std::int64_t steps, RandomKey key, const at::Tensor& ids_N);

/// Standard normals [ids, D]: row i is a pure function of (key, ids[i]).
at::Tensor normal_rows(RandomKey key, const at::Tensor& ids_N, std::int64_t dimension);

}  // namespace unchannel
