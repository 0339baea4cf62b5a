#include "recovery.hpp"

#include <ATen/ATen.h>

#include <cmath>

namespace unchannel {
namespace {

/// The i-th of `levels` equally likely values of ρ² = exp(2 N(mean, std²)).
double level2(const GaussianModel& model, int i, int levels) {
  const double u = (i + 0.5) / levels;
  const double z = std::sqrt(2.0) * at::erfinv(at::tensor({2.0 * u - 1.0}, at::kDouble)).item<double>();
  return std::exp(2.0 * (model.log_level_mean + model.log_level_std * z));
}

}  // namespace

Recovery recovery_of(const GaussianModel& model, int levels) {
  const at::Tensor C_RR = 0.5 * (model.covariance_RR + model.covariance_RR.t());
  const at::Tensor cross_RR = C_RR.matmul(model.response_RR);
  const at::Tensor seen_RR = model.response_RR.t().matmul(cross_RR) + model.excess_RR;
  const at::Tensor eye_RR = at::eye(C_RR.size(0), at::kDouble);
  at::Tensor posterior_RR = at::zeros_like(C_RR);
  for (int i = 0; i < levels; ++i) {
    const at::Tensor observed_RR = seen_RR + level2(model, i, levels) * eye_RR;
    posterior_RR += (C_RR - cross_RR.matmul(at::linalg_solve(observed_RR, cross_RR.t()))) / levels;
  }
  const auto [values_R, vectors_RR] = at::linalg_eigh(C_RR);
  Recovery result;
  result.signal_variance_R = values_R.flip(0).clamp_min(0.0);
  result.posterior_variance_R =
      at::minimum((vectors_RR * posterior_RR.matmul(vectors_RR)).sum(0).flip(0).clamp_min(0.0), result.signal_variance_R);
  result.explained_R = 1.0 - result.posterior_variance_R / result.signal_variance_R.clamp_min(1e-300);
  const double signal = result.signal_variance_R.sum().item<double>(), posterior = result.posterior_variance_R.sum().item<double>();
  const auto dimension = static_cast<double>(model.dimension());
  result.explained = signal > 0.0 ? 1.0 - posterior / signal : 0.0;
  result.rmse_posterior_mean = std::sqrt(posterior / dimension);
  result.rmse_preserving =
      std::sqrt((2.0 * result.signal_variance_R * (1.0 - result.explained_R.sqrt())).sum().item<double>() / dimension);
  return result;
}

}  // namespace unchannel
