#include "moment_matching.hpp"

#include <ATen/core/grad_mode.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/transport/solver.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

constexpr double kLatestShare = 15.0 / 16.0;

at::Tensor dot(const at::Tensor& a, const at::Tensor& b) { return (a * b).sum({1}, true, at::kDouble).to(at::kFloat); }

at::Tensor quotient(const at::Tensor& a_B1, const at::Tensor& b_B1, const at::Tensor& valid_B1) {
  return at::where(valid_B1, a_B1 / b_B1, at::zeros_like(a_B1));
}

/// Conjugate gradients of all samples at once, from zero. A sample rests when its residual is small enough, or when a network whose
/// Jacobian is not quite that of a conditional mean gives it a direction of no positive curvature.
at::Tensor solve(const std::function<at::Tensor(const at::Tensor&)>& apply, const at::Tensor& right_BM, const MmpsOptions& options) {
  const double least_curvature = options.noise_sigma * options.noise_sigma * (1.0 - 1e-4);  // float32 of the sum
  at::Tensor u_BM = at::zeros_like(right_BM), r_BM = right_BM, p_BM = right_BM;
  at::Tensor rr_B1 = dot(r_BM, r_BM);
  const at::Tensor enough_B1 = rr_B1 * (options.tolerance * options.tolerance);
  at::Tensor active_B1 = rr_B1 > enough_B1;
  for (std::int64_t i = 0; i < options.iterations && active_B1.any().item<bool>(); ++i) {
    const at::Tensor applied_BM = apply(p_BM);
    const at::Tensor curvature_B1 = dot(p_BM, applied_BM);
    active_B1 = active_B1.logical_and(curvature_B1 >= least_curvature * dot(p_BM, p_BM));
    const at::Tensor length_B1 = quotient(rr_B1, curvature_B1, active_B1);
    u_BM = u_BM + length_B1 * p_BM;
    r_BM = r_BM - length_B1 * applied_BM;
    const at::Tensor next_B1 = dot(r_BM, r_BM);
    p_BM = r_BM + quotient(next_B1, rr_B1, active_B1) * p_BM;
    rr_B1 = next_B1;
    active_B1 = active_B1.logical_and(rr_B1 > enough_B1);
  }
  return u_BM;
}

void check_options(const MmpsOptions& options) {
  check<ConfigError>(options.noise_sigma > 0 && std::isfinite(options.noise_sigma),
                     "baselines: moment matching needs noise of a standard deviation above 0, not {}.", options.noise_sigma);
  check<ConfigError>(options.guidance >= 0 && std::isfinite(options.guidance),
                     "baselines: the guidance must be finite and 0 or more, not {}.", options.guidance);
  check<ConfigError>(options.steps >= 2 && options.iterations >= 1, "baselines: moment matching needs 2 steps and 1 iteration at least.");
}

}  // namespace

at::Tensor matched_mean(const ConditionalMean& mean, const Measured& measured, const MmpsOptions& options, double t,
                        const at::Tensor& x_BD) {
  const double below = std::min(t, std::floor(kLatestShare * static_cast<double>(options.steps)) / static_cast<double>(options.steps));
  const bool early = t > below;
  // The point of the other time on the same straight line from x̂: x_t with t for `below`.
  at::Tensor mean_BD = early ? mean(t, x_BD) : at::Tensor();
  const at::Tensor point_BD = early ? (1.0 - below) * mean_BD + (below / t) * (x_BD - (1.0 - t) * mean_BD) : x_BD;
  const LinearisedMean linearised(mean, below, point_BD);
  if (!early) mean_BD = linearised.value_BD();
  const auto covariance = [&](const at::Tensor& v_BD) { return linearised.transposed(v_BD) * (below * below / (1.0 - below)); };
  const auto evidence = [&](const at::Tensor& u_BM) {
    const at::Tensor seen_BM = measured.linear_part(covariance(measured.transposed(mean_BD, u_BM)));
    return (options.noise_sigma * options.noise_sigma) * u_BM + seen_BM;
  };
  const at::Tensor u_BM = solve(evidence, measured.residual(mean_BD), options);
  return mean_BD + options.guidance * covariance(measured.transposed(mean_BD, u_BM));
}

at::Tensor sample_mmps(const ConditionalMean& mean, const Measured& measured, const MmpsOptions& options, const at::Tensor& z_BD) {
  check_options(options);
  measured.check_affine();
  const at::NoGradGuard no_grad;
  const auto drift = [&](double t, const at::Tensor& x_BD) { return (x_BD - matched_mean(mean, measured, options, t, x_BD)) / t; };
  return integrate_ode(drift, z_BD, "multistep", options.steps);
}

}  // namespace unchannel::baselines
