#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/scsi/gaussian_fit.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

GaussianFit fit_of(const EngineCase& c) {
  const Observations observations(c.settings.data, c.channel, RandomKey(1));
  return GaussianFit::fit(observations, c.channel, c.settings.start, RandomKey(2), {});
}

double rmse(const at::Tensor& a, const at::Tensor& b) { return (a - b).square().mean().sqrt().item<double>(); }

/// Root mean square of the exact posterior mean's error, from the known basis and covariance.
double exact_posterior_rmse(const EngineCase& c) {
  const at::Tensor centred = c.signals.to(at::kDouble) - 0.5;
  const at::Tensor cov = centred.t().matmul(centred) / static_cast<double>(centred.size(0));
  const at::Tensor seen = cov + kSigma * kSigma * at::eye(kDimension, at::kDouble);
  const at::Tensor left = cov - cov.matmul(at::linalg_solve(seen, cov));
  return std::sqrt(left.diagonal().mean().item<double>());
}

TEST(GaussianFit, RestoresLikeTheExactPosteriorMeanOfAGaussian) {
  const EngineCase c;
  const GaussianFit fit = fit_of(c);
  // The two directions come from 1,744 rows of signal-to-noise 8 (variance 32 against 4 of 62 others): sin² of their angle is about
  // 62 · (4/32 + (4/32)²) / 1744 = 0.5 %, which adds 0.005 · 64 / 64 to a mean square of 0.11.
  EXPECT_LT(rmse(fit.posterior_mean(c.observed), c.signals), 1.08 * exact_posterior_rmse(c));
}

TEST(GaussianFit, DrawsWithTheSpreadOfTheSignals) {
  const EngineCase c;
  const GaussianFit fit = fit_of(c);
  const at::Tensor draws = fit.posterior_draw(c.observed, RandomKey(3), at::arange(c.observed.size(0), at::kLong));
  const double total = c.signals.var(0).sum().item<double>();
  // Variance from 2,000 draws: standard error 4 %; the posterior mean alone is 11 % too narrow.
  EXPECT_NEAR(draws.var(0).sum().item<double>() / total, 1.0, 0.12);
  EXPECT_LT(fit.posterior_mean(c.observed).var(0).sum().item<double>() / total, 0.95);
}

TEST(GaussianFit, SpansAPlaneCompletely) {
  // Nothing lies outside a basis of all directions, so the noise must be found by probing instead of by looking there.
  EngineCase c;
  const AwgnChannel channel(2, 1.0);
  at::manual_seed(4);
  const at::Tensor signals = at::randn({4000, 2}).mul(at::tensor({3.0F, 1.0F}));
  const at::Tensor observed = channel.simulate(signals, {}, RandomKey(5), at::arange(4000, at::kLong));
  write_rows(c.folder / "plane.h5", DatasetKind::observations, observed);
  c.settings.data.observations = (c.folder / "plane.h5").string();
  c.settings.start.components = 2;
  c.settings.start.rounds = 3;
  c.settings.start.em_steps = 20;
  const Observations observations(c.settings.data, channel, RandomKey(1));
  const GaussianFit fit = GaussianFit::fit(observations, channel, c.settings.start, RandomKey(2), {});
  // Variances 9 and 1 under noise 1: standard errors of 10 sqrt(2/3744) = 0.23 and 2 sqrt(2/3744) = 0.05, and four times that of probing.
  EXPECT_NEAR(fit.model().covariance_RR.trace().item<double>(), 10.0, 1.0);
  const GaussianBridge bridge(fit.model(), Interpolant(c.settings.interpolant));
  const GaussianBridge::Features features = bridge.evaluate(at::full({1}, 8, at::kLong), observed.unsqueeze(0));
  const at::Tensor mean = bridge.decode(features.signal_GNR)[0];
  const double exact = std::sqrt(0.5 * (9.0 / 10.0 + 0.5));
  EXPECT_NEAR(rmse(mean, signals), exact, 0.05 * exact);
}

}  // namespace
}  // namespace unchannel
