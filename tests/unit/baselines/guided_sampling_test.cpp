#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/baselines/guided_sampling.hpp>

#include "gaussian_prior.hpp"

// Shape legend: B samples · D signal elements
namespace unchannel::baselines {
namespace {

using namespace baselines_test;

constexpr std::int64_t kD = 3;

struct Case {
  GaussianPrior prior = smooth_prior(kD);
  BlurChannel channel{kD, 3.0, 0.3};

  Measured measured(const at::Tensor& y_BD) const { return Measured(channel, {{"gain", at::ones({y_BD.size(0)}, at::kFloat)}}, y_BD); }
};

at::Tensor covariance_of(const at::Tensor& x_BD) {
  const at::Tensor centred = x_BD - x_BD.mean(0, true);
  return at::matmul(centred.t(), centred) / static_cast<double>(x_BD.size(0) - 1);
}

/// The ancestral chain of an affine mean is Gaussian: its covariance obeys a recursion, written with q(x_s | x_t, x) in signal-to-noise
/// form.
at::Tensor covariance_of_chain(const GaussianPrior& prior, std::int64_t steps) {
  at::Tensor P = prior.identity();
  for (std::int64_t i = steps; i > 0; --i) {
    const double t = static_cast<double>(i) / static_cast<double>(steps), s = static_cast<double>(i - 1) / static_cast<double>(steps);
    const bool first = i == steps;
    const double ratio = first ? 0.0 : std::pow(s * (1 - t) / (t * (1 - s)), 2);
    const at::Tensor F = (first ? 0.0 : ratio * (1 - s) / (1 - t)) * prior.identity() + (1 - s) * (1 - ratio) * prior.gain_DD(t);
    P = at::matmul(at::matmul(F, P), F.t()) + s * s * (1 - ratio) * prior.identity();
  }
  return P;
}

TEST(Dps, WithoutGuidanceDrawsFromTheChainOfThePrior) {
  const Case c;
  constexpr std::int64_t kRows = 20000;
  const Measured measured = c.measured(at::zeros({1, kD}).expand({kRows, kD}));
  const DpsOptions options{.guidance = 0.0, .steps = 128};
  const at::Tensor x_BD =
      sample_dps(c.prior.conditional_mean(), measured, options, RandomKey(3), at::arange(kRows, at::kLong)).to(at::kDouble);
  // Five standard errors of means and covariances of order one: √(1.1 / 20000) and √(2 · 1.21 / 20000).
  EXPECT_LT(largest(x_BD.mean(0) - c.prior.mean_D), 0.037);
  EXPECT_LT(largest(covariance_of(x_BD) - covariance_of_chain(c.prior, options.steps)), 0.055);
}

TEST(Dps, TheChainWithoutGuidanceTendsToThePriorInFirstOrder) {
  const Case c;
  const auto error = [&](std::int64_t steps) { return largest(covariance_of_chain(c.prior, steps) - c.prior.covariance_DD); };
  // x̂ in the place of x leaves out Cov[x | x_t] in each step: half the step, half the error; six tenths leave room for the next order.
  EXPECT_LT(error(256), 0.6 * error(128));
  EXPECT_LT(error(256), 0.05 * largest(c.prior.covariance_DD));
}

TEST(Dps, GradientIsThatOfTheMisfit) {
  const Case c;
  const at::Tensor y_BD = normals(2, kD, 4), x_BD = normals(2, kD, 5), direction = normals(2, kD, 6);
  const double t = 0.6, step = 1e-4;
  const at::Tensor H = gaussian_line_spread(kD, 3.0).matrix_MD.to(at::kFloat).to(at::kDouble), K = c.prior.gain_DD(t);
  const auto misfit = [&](const at::Tensor& at_BD, bool squared) {  // in float64, by matrices
    const at::Tensor mean = c.prior.mean_D + at::matmul(at_BD - (1 - t) * c.prior.mean_D, K.t());
    const at::Tensor square_B = (y_BD - at::matmul(mean, H.t()) - 0.5).square().sum(1);
    return squared ? square_B : square_B.sqrt();
  };
  const LinearisedMean linearised(c.prior.conditional_mean(), t, x_BD.to(at::kFloat));
  for (const bool squared : {true, false}) {
    const at::Tensor slope_B = (misfit(x_BD + step * direction, squared) - misfit(x_BD - step * direction, squared)) / (2 * step);
    const at::Tensor got_B = (misfit_gradient(linearised, c.measured(y_BD), squared ? "squared" : "norm") * direction).sum(1);
    EXPECT_LT(largest(slope_B - got_B), 1e-4) << squared;  // float32 products of order ten
  }
}

TEST(Dps, StrongerGuidanceComesNearerToTheObservation) {
  const Case c;
  const at::Tensor y_BD = normals(200, kD, 11) + 0.5;
  const Measured measured = c.measured(y_BD);
  double before = std::numeric_limits<double>::infinity();
  for (const double guidance : {0.0, 0.02, 0.1}) {
    const DpsOptions options{.form = "squared", .guidance = guidance, .steps = 64};
    const at::Tensor x_BD = sample_dps(c.prior.conditional_mean(), measured, options, RandomKey(3), at::arange(200, at::kLong));
    const double misfit = measured.residual(x_BD).square().mean().item<double>();
    EXPECT_LT(misfit, 0.8 * before) << guidance;
    before = misfit;
  }
}

TEST(Dps, ADrawDependsOnItsKeyAndIdOnly) {
  const Case c;
  const at::Tensor y_BD = normals(5, kD, 12), ids = at::arange(5, at::kLong);
  const DpsOptions options{.guidance = 0.1, .steps = 16};
  const at::Tensor whole = sample_dps(c.prior.conditional_mean(), c.measured(y_BD), options, RandomKey(1), ids);
  const at::Tensor part =
      sample_dps(c.prior.conditional_mean(), c.measured(y_BD.slice(0, 3, 5)), options, RandomKey(1), ids.slice(0, 3, 5).contiguous());
  EXPECT_LT(largest(whole.slice(0, 3, 5) - part), 1e-5);  // products of other batch sizes round differently
  const at::Tensor other = sample_dps(c.prior.conditional_mean(), c.measured(y_BD), options, RandomKey(2), ids);
  EXPECT_GT(largest(whole - other), 0.1);
}

TEST(Dps, TheTunedGuidanceIsTheBestFiniteOne) {
  const at::Tensor truth = at::zeros({4, kD});
  const auto draw = [&](double guidance) {
    return at::full({4, kD}, guidance == 3.0 ? std::numeric_limits<double>::quiet_NaN() : guidance - 1.0, at::kFloat);
  };
  const TunedGuidance tuned = tune_guidance({3.0, 0.5, 1.25, 2.0}, truth, draw);
  EXPECT_EQ(tuned.guidance, 1.25);
  EXPECT_NEAR(tuned.rmse, 0.25, 1e-6);
  EXPECT_EQ(tuned.tried_rmse.size(), 4u);
  EXPECT_THROW(tune_guidance({3.0}, truth, draw), NumericalError);
}

TEST(Dps, RefusesBadInput) {
  const Case c;
  const at::Tensor y_BD = at::zeros({2, kD}), ids = at::arange(2, at::kLong);
  EXPECT_THROW(Measured(c.channel, {{"gain", at::ones({3}, at::kFloat)}}, y_BD), ShapeError);
  EXPECT_THROW(c.measured(at::zeros({2, kD + 1})), ShapeError);
  const auto sampled = [&](const DpsOptions& options) {
    return sample_dps(c.prior.conditional_mean(), c.measured(y_BD), options, RandomKey(1), ids);
  };
  EXPECT_THROW(sampled({.guidance = -1.0}), ConfigError);
  EXPECT_THROW(sampled({.form = "cubed", .guidance = 1.0}), ConfigError);
}

DriftModel small_model(const std::string& kind) {
  ModelSettings settings;
  settings.space = "elements";
  settings.width = 16;
  settings.depth = 1;
  InterpolantSettings path;
  path.kind = kind;
  path.time_levels = 8;
  return DriftModel(settings, Interpolant(path), std::nullopt, {at::zeros({kD}, at::kFloat), 1.5}, {}, {kD});
}

TEST(GeneratorMean, HasTheJacobianOfItsNetwork) {
  const DriftModel model = small_model("linear");
  const std::unique_ptr<Network> network = model.make_network(RandomKey(1));
  for (auto& [name, tensor] : network->parameters()) {  // its output layer starts at zero
    if (name.starts_with("zero_output")) at::Tensor(tensor).detach().copy_(normals(1, tensor.numel(), 2).view(tensor.sizes()) * 0.3);
  }
  const ConditionalMean mean = conditional_mean(model, *network);
  const at::Tensor x_BD = normals(4, kD, 3).to(at::kFloat), v_BD = normals(4, kD, 4).to(at::kFloat),
                   w_BD = normals(4, kD, 5).to(at::kFloat);
  const double t = 0.625, step = 1e-2;
  const at::Tensor back_BD = LinearisedMean(mean, t, x_BD).transposed(v_BD);
  const at::Tensor forward_BD = (mean(t, x_BD + step * w_BD) - mean(t, x_BD - step * w_BD)) / (2 * step);
  // Values of order one rounded by 1e-7 over the step, and its square times third derivatives of order one.
  EXPECT_LT(largest((back_BD * w_BD).sum(1) - (forward_BD * v_BD).sum(1)), 2e-3);
  EXPECT_GT(largest(back_BD - v_BD), 0.01) << "the network changes nothing";
}

TEST(GeneratorMean, RefusesAnotherInterpolant) {
  const DriftModel model = small_model("trigonometric");
  const std::unique_ptr<Network> network = model.make_network(RandomKey(1));
  EXPECT_THROW(conditional_mean(model, *network), ConfigError);
}

}  // namespace
}  // namespace unchannel::baselines
