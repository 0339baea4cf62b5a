#include "solver.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel {

void TransportSettings::visit(SettingsVisitor& visitor) {
  visitor.choice({"solver",
                  "ODE solver of the transports during training (the stochastic interpolant uses Euler-Maruyama). Euler loses variance "
                  "where the noise dominates; multistep is of second order at the same cost."},
                 solver, {"euler", "heun", "midpoint", "multistep"});
  visitor.integer({"steps", "Steps of the transports during training."}, steps, 1, 4096);
  visitor.choice({"restore_solver", "ODE solver of restorations and evaluations."}, restore_solver,
                 {"same", "euler", "heun", "midpoint", "multistep"});
  visitor.integer({"restore_steps", "Steps of restorations and evaluations."}, restore_steps, 1, 4096);
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

at::Tensor integrate_sde(const SdeFunction& terms, at::Tensor x_ND, double epsilon, std::int64_t steps, RandomKey key,
                         const at::Tensor& ids_N) {
  const double h = 1.0 / static_cast<double>(steps);
  for (std::int64_t i = steps; i > 0; --i) {
    const SdeTerms now = terms(static_cast<double>(i) * h, x_ND);
    x_ND = x_ND - h * now.drift_ND;
    if (i == steps || i == 1 || !now.noise_over_gamma_ND.defined()) continue;
    const at::Tensor xi_ND = normal_rows(key.derive(static_cast<std::uint64_t>(i)), ids_N, x_ND.size(1));
    x_ND = x_ND - (h * epsilon) * now.noise_over_gamma_ND + std::sqrt(2.0 * epsilon * h) * xi_ND;
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
