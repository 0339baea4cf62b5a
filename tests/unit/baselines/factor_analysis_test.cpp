#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/baselines/factor_analysis.hpp>
#include <unchannel/baselines/quasar_reference.hpp>

#include "blur_channel.hpp"

namespace unchannel::baselines {
namespace {

using baselines_test::normals;

constexpr std::int64_t kD = 48, kR = 4;

// Smooth mean and factors, so that a blur leaves something of them.
struct World {
  at::Tensor mean_D, factors_DR, x_ND, y_NM, sigma_N;
  AffineResponse response;
};

World make_world(std::int64_t objects, double fwhm, double sigma_low, double sigma_high, std::uint64_t key) {
  World world;
  const at::Tensor d = at::arange(kD, at::kDouble) / static_cast<double>(kD);
  world.mean_D = 3 + (6.0 * d).sin();
  world.factors_DR = at::stack({(3.0 * d).cos(), (5.0 * d + 1).sin(), 0.7 * (8.0 * d).cos(), 0.5 * (11.0 * d).sin()}, 1);
  world.response = gaussian_line_spread(kD, fwhm);
  world.response.offset_M = at::full({kD}, 0.25, at::kDouble);
  world.x_ND = world.mean_D + at::matmul(normals(objects, kR, key), world.factors_DR.t());
  world.sigma_N = sigma_low + (sigma_high - sigma_low) * at::linspace(0, 1, objects, at::kDouble);
  world.y_NM = at::matmul(world.x_ND, world.response.matrix_MD.t()) + world.response.offset_M + world.sigma_N.unsqueeze(1) * normals(objects, kD, key + 1);
  return world;
}

double rmse(const at::Tensor& a, const at::Tensor& b) { return std::sqrt((a - b).square().mean().item<double>()); }

// What the true model would achieve: the exact posterior mean.
double oracle_rmse(const World& world) {
  NodePrior prior;
  prior.dimension = kD;
  prior.rank = kR;
  prior.weight = {1.0};
  prior.node = [&](std::int64_t, double* mean, double* factors) {
    std::copy_n(world.mean_D.const_data_ptr<double>(), kD, mean);
    std::copy_n(world.factors_DR.contiguous().const_data_ptr<double>(), kD * kR, factors);
  };
  const at::Tensor ids = at::arange(world.y_NM.size(0), at::kLong);
  return rmse(exact_posterior(prior, world.response, world.y_NM, world.sigma_N, RandomKey(1), ids).mean_BD, world.x_ND);
}

TEST(FactorAnalysis, FindsTheNumberOfFactorsAndNearlyTheBestRestoration) {
  const World world = make_world(3000, 0.1, 0.3, 1.5, 10);
  const FactorAnalysis model = FactorAnalysis::fit(world.y_NM, world.response, world.sigma_N);
  EXPECT_EQ(model.rank(), kR);
  EXPECT_EQ(model.modes(), kD);
  EXPECT_LT(rmse(model.restore(world.y_NM, world.sigma_N), world.x_ND), 1.03 * oracle_rmse(world));
}

TEST(FactorAnalysis, DoesNotNeedToBeToldTheNoise) {
  const World world = make_world(3000, 0.1, 0.3, 1.5, 20);
  const FactorAnalysis model = FactorAnalysis::fit(world.y_NM, world.response, {}, {.rank = kR});
  const double best = oracle_rmse(world);
  // σ of 48 pixels is known to 1/√96 = 10 % an object; weights wrong by that much cost little.
  EXPECT_LT(rmse(model.restore(world.y_NM), world.x_ND), 1.08 * best);
}

TEST(FactorAnalysis, UndoesABlurUpToItsWeakModes) {
  const World world = make_world(3000, 12.0, 0.02, 0.05, 30);
  const FactorAnalysis model = FactorAnalysis::fit(world.y_NM, world.response, world.sigma_N);
  EXPECT_LT(model.modes(), kD);
  const double observed = rmse(world.y_NM - 0.25, world.x_ND), restored = rmse(model.restore(world.y_NM, world.sigma_N), world.x_ND);
  EXPECT_LT(restored, 0.4 * observed);
}

TEST(FactorAnalysis, DoesNotBlowUpModesItCannotSeeWhenTheNoiseIsUnknown) {
  const World world = make_world(3000, 20.0, 0.02, 0.05, 60);  // the weakest modes have a response below 1e-12
  const FactorAnalysis model = FactorAnalysis::fit(world.y_NM, world.response);
  EXPECT_LT(model.modes(), 16);
  EXPECT_LT(rmse(model.restore(world.y_NM), world.x_ND), rmse(world.y_NM - 0.25, world.x_ND));
}

TEST(FactorAnalysis, LikelihoodRisesWithEveryIteration) {
  const World world = make_world(800, 2.0, 0.3, 1.0, 40);
  double previous = -1e300;
  for (std::int64_t iterations : {1, 2, 3, 5, 10, 20}) {
    const double now = FactorAnalysis::fit(world.y_NM, world.response, world.sigma_N, {.rank = 3, .iterations = iterations, .tolerance = 0}).log_likelihood_per_number();
    EXPECT_GE(now, previous - 1e-12) << iterations;
    previous = now;
  }
}

TEST(FactorAnalysis, BadInputIsNamed) {
  const World world = make_world(20, 1.0, 0.5, 0.5, 50);
  EXPECT_THROW(FactorAnalysis::fit(world.y_NM.slice(1, 0, 5), world.response, world.sigma_N), ShapeError);
  EXPECT_THROW(FactorAnalysis::fit(world.y_NM, world.response, -world.sigma_N), DataError);
  EXPECT_THROW(FactorAnalysis::fit(world.y_NM.slice(0, 0, 3), world.response), ShapeError);
  EXPECT_THROW(FactorAnalysis::fit(world.y_NM / 0.0, world.response), DataError);
  const FactorAnalysis model = FactorAnalysis::fit(world.y_NM, world.response, world.sigma_N);
  EXPECT_THROW(model.restore(world.y_NM, world.sigma_N.slice(0, 0, 3)), ShapeError);
}

}  // namespace
}  // namespace unchannel::baselines
