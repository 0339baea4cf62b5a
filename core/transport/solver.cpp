#include "solver.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel {

void TransportSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"solver",
                  "Solver of the transports during training; the reverse SDE has euler and heun. Euler loses variance where the noise "
                  "dominates; multistep is of second order at the same cost, for straight paths."},
                 solver, {"euler", "heun", "midpoint", "multistep"});
  visitor.integer({"steps", "Steps of the transports during training."}, steps, 1, 4096);
  visitor.integer({"coarse_steps", "Steps of the transports in the first coarse_share of the training, when the drift is still rough; 0: the same."},
                  coarse_steps, 0, 4096);
  visitor.number({"coarse_share", "Share of the training that transports in coarse_steps.", "1"}, coarse_share, 0.0, 1.0);
  visitor.choice({"restore_solver",
                  "Solver of restorations and evaluations. adaptive: each row chooses its steps so that its local error stays below tolerance."},
                 restore_solver, {"same", "euler", "heun", "midpoint", "multistep", "adaptive"});
  visitor.integer({"restore_steps", "Steps of restorations and evaluations."}, restore_steps, 1, 4096);
  visitor.number({"tolerance", "Local error of the adaptive solver, in units of the observations' standard deviation.", "1"}, tolerance, 1e-9, 1.0);
  visitor.integer({"batch", "Samples transported at once."}, batch, 1, 1 << 20);
}

namespace {

/// Second-order exponential multistep in λ = −ln t: between two times X(s) = (s/t) X(t) + (1 − s/t) x̂ for constant x̂.
at::Tensor integrate_multistep(const DriftFunction& drift, at::Tensor x_ND, std::int64_t steps) {
  at::Tensor previous_ND;
  double previous_step = 0.0;
  for (std::int64_t i = steps; i > 0; --i) {
    const double t = static_cast<double>(i) / static_cast<double>(steps);
    const double next = static_cast<double>(i - 1) / static_cast<double>(steps);
    const at::Tensor mean_ND = x_ND - t * drift(t, x_ND);
    if (i == 1) return mean_ND;
    const double step = std::log(t / next);
    const at::Tensor ahead_ND = previous_ND.defined() ? mean_ND + (mean_ND - previous_ND) * (0.5 * step / previous_step) : mean_ND;
    x_ND = (next / t) * x_ND + (1.0 - next / t) * ahead_ND;
    previous_ND = mean_ND;
    previous_step = step;
  }
  return x_ND;
}

}  // namespace

at::Tensor integrate_ode(const DriftFunction& drift, at::Tensor x_ND, const std::string& solver, std::int64_t steps) {
  if (solver == "multistep") return integrate_multistep(drift, std::move(x_ND), steps);
  check<ConfigError>(solver == "euler" || solver == "heun" || solver == "midpoint", "transport.solver '{}' is unknown.", solver);
  const double h = 1.0 / static_cast<double>(steps);
  for (std::int64_t i = steps; i > 0; --i) {
    const double t = static_cast<double>(i) * h;
    const at::Tensor slope_ND = drift(t, x_ND);
    if (solver == "midpoint") {
      x_ND = x_ND - h * drift(t - 0.5 * h, x_ND - 0.5 * h * slope_ND);
    } else if (solver == "heun" && i > 1) {
      const at::Tensor predicted_ND = x_ND - h * slope_ND;
      x_ND = x_ND - 0.5 * h * (slope_ND + drift(t - h, predicted_ND));
    } else {
      x_ND = x_ND - h * slope_ND;
    }
  }
  return x_ND;
}

at::Tensor integrate_adaptive(const RowDriftFunction& drift, const at::Tensor& x_ND, std::int64_t levels, double tolerance, double scale) {
  constexpr double kSafety = 0.9, kGrow = 4.0, kShrink = 0.25;
  const double h = 1.0 / static_cast<double>(levels);
  at::Tensor end_ND = x_ND.clone();
  at::Tensor level_N = at::full({x_ND.size(0)}, levels, at::kLong);
  at::Tensor step_N = at::full({x_ND.size(0)}, std::max<std::int64_t>(1, levels / 8), at::kLong);
  while (true) {
    const at::Tensor active_A = level_N.gt(0).nonzero().squeeze(1);
    if (active_A.numel() == 0) return end_ND;
    const at::Tensor at_A = level_N.index_select(0, active_A), x_AD = end_ND.index_select(0, active_A);
    const at::Tensor slope_AD = drift(at_A, x_AD, active_A);
    // The drift is not evaluated at t = 0: the last step is one level long, and Euler's.
    const at::Tensor wanted_A = at::minimum(step_N.index_select(0, active_A), at_A - 1).clamp_min(1);
    const at::Tensor length_A1 = (wanted_A.to(at::kDouble) * h).unsqueeze(1).to(x_ND.scalar_type());
    const at::Tensor euler_AD = x_AD - length_A1 * slope_AD;
    const at::Tensor inside_A = at_A.gt(1);
    const at::Tensor ahead_AD = drift((at_A - wanted_A).clamp_min(1), euler_AD, active_A);
    const at::Tensor half_AD = 0.5 * length_A1 * (slope_AD - ahead_AD);  // Heun's step less Euler's
    const at::Tensor error_A = half_AD.square().mean(1).sqrt().to(at::kDouble) / scale;
    const at::Tensor taken_A = error_A.le(tolerance).logical_or(wanted_A.eq(1)).logical_or(inside_A.logical_not());
    const at::Tensor next_AD = at::where(inside_A.unsqueeze(1), euler_AD + half_AD, euler_AD);
    end_ND.index_copy_(0, active_A, at::where(taken_A.unsqueeze(1), next_AD, x_AD));
    level_N.index_copy_(0, active_A, at::where(taken_A, at_A - wanted_A, at_A));
    const at::Tensor factor_A = (kSafety * (tolerance / error_A.clamp_min(1e-300)).sqrt()).clamp(kShrink, kGrow);
    step_N.index_copy_(0, active_A, (wanted_A.to(at::kDouble) * factor_A).floor().clamp(1.0, static_cast<double>(levels)).to(at::kLong));
  }
}

at::Tensor integrate_sde(const SdeFunction& terms, at::Tensor x_ND, const std::function<double(double)>& epsilon, const std::string& solver,
                         std::int64_t steps, RandomKey key, const at::Tensor& ids_N) {
  check<ConfigError>(solver == "euler" || solver == "heun", "transport.solver \"{}\" is for the ODE; the reverse SDE has \"euler\" and \"heun\".",
                     solver);
  const double h = 1.0 / static_cast<double>(steps);
  for (std::int64_t i = steps; i > 0; --i) {
    const double t = static_cast<double>(i) * h;
    const SdeTerms now = terms(t, x_ND);
    const bool noisy = i > 1 && now.negative_score_ND.defined();
    const at::Tensor slope_ND = noisy ? now.drift_ND + epsilon(t) * now.negative_score_ND : now.drift_ND;
    at::Tensor xi_ND;
    if (noisy) {
      const double middle = epsilon(t - 0.5 * h);
      xi_ND = std::sqrt(2.0 * middle * h) * normal_rows(key.derive(static_cast<std::uint64_t>(i)), ids_N, x_ND.size(1));
    }
    const auto moved = [&](const at::Tensor& direction_ND) {
      const at::Tensor next_ND = x_ND - h * direction_ND;
      return noisy ? next_ND + xi_ND : next_ND;
    };
    at::Tensor next_ND = moved(slope_ND);
    if (solver == "heun" && i > 1) {
      const SdeTerms then = terms(t - h, next_ND);
      // A step that starts without a score is the ODE's to its end: any ε(t) ≥ 0 is admissible, zero too.
      const at::Tensor ahead_ND = noisy ? then.drift_ND + epsilon(t - h) * then.negative_score_ND : then.drift_ND;
      next_ND = moved(0.5 * (slope_ND + ahead_ND));
    }
    x_ND = next_ND;
  }
  return x_ND;
}

at::Tensor normal_rows(RandomKey key, const at::Tensor& ids_N, std::int64_t dimension) {
  at::Tensor out = at::empty({ids_N.size(0), dimension}, at::kFloat);
  const std::int64_t* ids = ids_N.data_ptr<std::int64_t>();
  float* rows = out.data_ptr<float>();
  for (std::int64_t n = 0; n < ids_N.size(0); ++n) {
    key.normal(static_cast<std::uint64_t>(ids[n]), 0, static_cast<std::uint32_t>(dimension), rows + n * dimension);
  }
  return out;
}

}  // namespace unchannel
