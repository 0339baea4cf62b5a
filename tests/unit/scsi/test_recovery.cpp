#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/scsi/gaussian_fit.hpp>
#include <unchannel/scsi/recovery.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

double rmse(const at::Tensor& a, const at::Tensor& b) { return (a - b).square().mean().sqrt().item<double>(); }

/// x = U a with C = diag(9, 1), y = x + ρ n for one ρ: per direction c ρ² / (c + ρ²) is left.
TEST(Recovery, IsThatOfTheScalarFormulasWithOneNoiseLevel) {
  constexpr double kNoise2 = 4.0;
  GaussianModel model;
  model.mean_D = at::zeros({8});
  model.basis_DR = at::eye(8).slice(1, 0, 2).contiguous();
  model.covariance_RR = at::diag(at::tensor({1.0, 9.0}, at::kDouble));
  model.response_RR = at::eye(2, at::kDouble);
  model.excess_RR = at::zeros({2, 2}, at::kDouble);
  model.shift_R = at::zeros({2});
  model.log_level_mean = 0.5 * std::log(kNoise2);
  model.log_level_std = 0.0;
  const Recovery recovery = recovery_of(model);
  double posterior = 0.0, preserving = 0.0;
  int i = 0;
  for (const double c : {9.0, 1.0}) {
    const double left = c * kNoise2 / (c + kNoise2), share = c / (c + kNoise2);
    EXPECT_NEAR(recovery.signal_variance_R[i].item<double>(), c, 1e-9);
    EXPECT_NEAR(recovery.posterior_variance_R[i].item<double>(), left, 1e-9);
    EXPECT_NEAR(recovery.explained_R[i].item<double>(), share, 1e-9);
    posterior += left;
    preserving += 2.0 * c * (1.0 - std::sqrt(share));
    ++i;
  }
  EXPECT_NEAR(recovery.explained, 1.0 - posterior / 10.0, 1e-9);
  EXPECT_NEAR(recovery.rmse_posterior_mean, std::sqrt(posterior / 8.0), 1e-9);
  EXPECT_NEAR(recovery.rmse_preserving, std::sqrt(preserving / 8.0), 1e-9);
}

TEST(Recovery, ForetellsTheErrorOfTheFittedStart) {
  const EngineCase c;
  const Observations observations(c.settings.data, c.channel, RandomKey(1));
  const GaussianFit fit = GaussianFit::fit(observations, c.channel, c.settings.start, RandomKey(2), {});
  // The fit's own directions are off by sampling noise, which the truth sees and the fit does not: 8 % as in test_gaussian_fit.
  const double expected = recovery_of(fit.model()).rmse_posterior_mean;
  EXPECT_NEAR(rmse(fit.posterior_mean(c.observed), c.signals), expected, 0.08 * expected);
}

}  // namespace
}  // namespace unchannel
