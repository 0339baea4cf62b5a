#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/posterior/conditional_model.hpp>

#include "sampler_case.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kElements = 40;

/// x = U a, a ~ N(0, C), seen in white noise of level ρ: the last of a's posterior is (C⁻¹ + ρ⁻² I)⁻¹.
GaussianModel white_noise_model(double level) {
  GaussianModel model;
  model.mean_D = at::full({kElements}, 0.5);
  model.basis_DR = at::eye(kElements).slice(1, 0, 2).contiguous();
  model.covariance_RR = at::tensor({1.0, 0.6, 0.6, 0.8}, at::kDouble).view({2, 2});
  model.response_RR = at::eye(2, at::kDouble);
  model.excess_RR = at::zeros({2, 2}, at::kDouble);
  model.shift_R = at::zeros({2});
  model.log_level_mean = std::log(level);
  return model;
}

ConditionalModel basis_model(double level) {
  ModelSettings settings;
  settings.width = 16;
  settings.depth = 1;
  const Interpolant path(frame_path());
  const GaussianBridge bridge(white_noise_model(level), path);
  const Normalisation plain{at::zeros({kElements}), 1.0};
  return ConditionalModel(DriftModel(settings, path, bridge, plain, ConditionEncoder({}, kElements), {kElements}), plain, bridge.residual_scale_LR()[0]);
}

/// What a run would say that knows the Gaussian: its posterior mean.
at::Tensor gaussian_guide(double level, const at::Tensor& y_BD) { return GaussianFit(white_noise_model(level)).posterior_mean(y_BD); }

TEST(ConditionalModel, DrawsThePosteriorOfTheFittedGaussianWithTheNetworkAtZero) {
  const double level = 0.7;
  const ConditionalModel model = basis_model(level);
  const auto network = model.make_network(RandomKey(3));
  at::Tensor y_D = at::full({kElements}, 0.5);
  y_D[0] = 2.0;
  y_D[1] = 0.0;
  // The noise outside the basis is what the level is measured in: it must have exactly that mean square.
  const at::Tensor outside = at::ones({kElements - 2}) * level;
  y_D.slice(0, 2).add_(at::where(at::arange(kElements - 2).remainder(2).eq(0), outside, -outside));
  constexpr std::int64_t kDraws = 20000;
  const at::Tensor y_ND = y_D.expand({kDraws, kElements}).contiguous();
  const Evidence evidence = model.evidence(y_ND, {}, gaussian_guide(level, y_ND));
  const at::Tensor x_ND = model.draw(*network, evidence, 3, RandomKey(9), at::arange(kDraws, at::kLong)).to(at::kDouble);

  const at::Tensor c = white_noise_model(level).covariance_RR, white = level * level * at::eye(2, at::kDouble);
  const at::Tensor exact_covariance = c - c.matmul((c + white).inverse()).matmul(c);
  const at::Tensor exact_mean = c.matmul((c + white).inverse()).matmul(at::tensor({1.5, -0.5}, at::kDouble)) + 0.5;
  const at::Tensor seen = x_ND.slice(1, 0, 2);
  // Five standard errors: 5 √(0.3 / 20000) = 0.019 of a mean, 5 · 0.3 √(2 / 20000) = 0.015 of a variance.
  EXPECT_LT((seen.mean(0) - exact_mean).abs().max().item<double>(), 0.02);
  EXPECT_LT((seen.t().cov() - exact_covariance).abs().max().item<double>(), 0.015);
  EXPECT_LT((x_ND.slice(1, 2) - 0.5).abs().max().item<double>(), 1e-6) << "outside the basis a signal is its mean";
  // One network call, of zero: the Gaussian's posterior mean.
  const at::Tensor mean_ND = model.mean(*network, evidence, RandomKey(9), at::arange(kDraws, at::kLong)).to(at::kDouble);
  EXPECT_LT((mean_ND.slice(1, 0, 2) - exact_mean).abs().max().item<double>(), 1e-5);
}

TEST(ConditionalModel, ADrawDependsOnItsOwnRowAlone) {
  const ConditionalModel model = basis_model(0.7);
  const auto network = model.make_network(RandomKey(3));
  const at::Tensor y_BD = normal_rows(RandomKey(5), at::arange(6, at::kLong), kElements), ids_B = at::arange(6, at::kLong);
  const at::Tensor together = model.draw(*network, model.evidence(y_BD, {}, gaussian_guide(0.7, y_BD)), 2, RandomKey(9), ids_B);
  const at::Tensor y_1D = y_BD.slice(0, 4, 5);
  const at::Tensor alone = model.draw(*network, model.evidence(y_1D, {}, gaussian_guide(0.7, y_1D)), 2, RandomKey(9), ids_B.slice(0, 4, 5));
  EXPECT_LT((together[4] - alone[0]).abs().max().item<double>(), 1e-5);
}

TEST(ConditionalModel, DrawsStayInTheKnownRange) {
  ModelSettings settings;
  settings.space = "elements";
  settings.width = 16;
  settings.depth = 1;
  settings.signal_min = -0.5;
  settings.signal_max = 0.25;
  const Normalisation plain{at::zeros({4}), 1.0};
  const ConditionalModel model(DriftModel(settings, Interpolant(frame_path()), std::nullopt, plain, ConditionEncoder({}, 4), {4}), plain, at::ones({4}));
  const auto network = model.make_network(RandomKey(3));
  const at::Tensor x = model.draw(*network, model.evidence(at::zeros({100, 4}), {}, at::zeros({100, 4})), 4, RandomKey(9), at::arange(100, at::kLong));
  EXPECT_GE(x.min().item<double>(), -0.5);
  EXPECT_LE(x.max().item<double>(), 0.25);
}

}  // namespace
}  // namespace unchannel
