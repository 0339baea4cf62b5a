#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <cmath>

#include <unchannel/theory/error_limits.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

TEST(ErrorLimits, OfIsotropicSignalsAreTheKnownOnes) {
  const Eigen::Index d = 3;
  GaussianProblem problem;
  for (const double c : {0.1, 1.0, 7.0}) {
    problem.signal = problem.initial = {Vector::Zero(d), c * Matrix::Identity(d, d)};
    problem.channel = {Matrix::Identity(d, d), Matrix::Identity(d, d)};
    problem.rule = TransportRule::linear(0.0);
    const ErrorLimits limits = error_limits(problem);
    const double n = static_cast<double>(d), map = 2.0 * c * (1.0 - std::sqrt(c / (1.0 + c)));
    EXPECT_NEAR(limits.posterior_mean, n * c / (1.0 + c), 1e-13);
    EXPECT_NEAR(limits.posterior_draw, 2.0 * n * c / (1.0 + c), 1e-13);
    EXPECT_NEAR(limits.ode_map, n * map, 1e-12);
    EXPECT_NEAR(limits.distribution_preserving, n * map, 1e-12);
    EXPECT_EQ(limits.transport, limits.ode_map);
    EXPECT_NEAR(limits.transport_spread, 0.0, 1e-7);  // the root of a rounding error
  }
}

TEST(ErrorLimits, AreInTheirOrderAndTheOdeIsNotTheOptimumBehindABlur) {
  bool above = false;
  for (std::uint64_t index = 0; index < 24; ++index) {
    GaussianProblem problem = random_problem(index, false, true);
    problem.rule = TransportRule::linear(0.1);
    const ErrorLimits limits = error_limits(problem);
    EXPECT_LT(limits.posterior_mean, limits.distribution_preserving);
    EXPECT_LE(limits.distribution_preserving,
              limits.ode_map * (1.0 + 1e-9));  // equal up to the integration where all directions are shared
    EXPECT_LE(limits.distribution_preserving, limits.posterior_draw);
    above = above || limits.ode_map > 1.01 * limits.distribution_preserving;
  }
  EXPECT_TRUE(above);
}

TEST(ErrorLimits, SpreadOfATransportIsZeroToThePosteriors) {
  GaussianProblem problem = random_problem(5, true, false);
  const auto spread = [&](const TransportRule& rule) {
    problem.rule = rule;
    return error_limits(problem).transport_spread;
  };
  EXPECT_NEAR(spread(TransportRule::posterior()), 1.0, 1e-12);
  EXPECT_NEAR(spread(TransportRule::linear(0.0)), 0.0, 1e-7);
  const double some = spread(TransportRule::linear(0.1));
  EXPECT_GT(some, 0.1);
  EXPECT_LT(some, 1.0);
}

TEST(ErrorLimits, AreTheErrorsOfDrawnSignals) {
  GaussianProblem problem = random_problem(2, false, true);
  problem.rule = TransportRule::stochastic(0.2);
  const ErrorLimits limits = error_limits(problem);
  const Matrix gain = transport_gain(problem.rule, problem.channel, problem.signal.covariance_DD);
  const Matrix noise = transport_noise(problem.channel, problem.signal.covariance_DD, gain);
  const Matrix best = posterior_gain(problem.channel, problem.signal.covariance_DD);
  constexpr Eigen::Index count = 200'000;
  Draw draw(1);
  const auto factor = [](const Matrix& a) { return Matrix(a.llt().matrixL()); };
  const Eigen::Index d = problem.signal.mean_D.size();
  const Matrix x_DN = factor(problem.signal.covariance_DD) * draw.normal(d, count);
  const Matrix y_DN = problem.channel.operator_DD * x_DN + factor(problem.channel.noise_DD) * draw.normal(d, count);
  const auto error = [&](const Matrix& restored_DN) { return (restored_DN - x_DN).squaredNorm() / static_cast<double>(count); };
  // Squared errors have at most the relative spread √2 of one direction: five standard errors of the mean are 5 √(2/count) = 1.6 %.
  EXPECT_NEAR(error(best * y_DN) / limits.posterior_mean, 1.0, 0.016);
  EXPECT_NEAR(error(gain * y_DN + factor(noise) * draw.normal(d, count)) / limits.transport, 1.0, 0.016);
}

}  // namespace
}  // namespace unchannel::theory::test
