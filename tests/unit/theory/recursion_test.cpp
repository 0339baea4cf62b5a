#include <gtest/gtest.h>

#include <Eigen/LU>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/theory/recursion.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

TEST(Recursion, WithPosteriorDrawsIsExpectationAndMaximisation) {
  for (std::uint64_t index = 0; index < 16; ++index) {
    GaussianProblem problem = random_problem(index, false, true);
    problem.rule = TransportRule::posterior();
    const Gaussian next = step(problem, problem.initial);
    // E: posterior of each observation in information form; M: mean and covariance of the mixture over the observations.
    const Matrix& h = problem.channel.operator_DD;
    const Matrix precision = problem.channel.noise_DD.inverse();
    const Matrix posterior = (problem.initial.covariance_DD.inverse() + h.transpose() * precision * h).inverse();
    const Matrix gain = posterior * h.transpose() * precision;
    const Gaussian seen = problem.channel.observe(problem.signal);
    const Vector mean = problem.initial.mean_D + gain * (seen.mean_D - h * problem.initial.mean_D);
    EXPECT_LT(largest(next.mean_D - mean), 1e-12);
    EXPECT_LT(largest(next.covariance_DD - posterior - gain * seen.covariance_DD * gain.transpose()), 1e-12);
  }
}

TEST(Recursion, InOneDirectionIsTheClosedFormOfTheTalk) {
  // c' = c + K² (c* − c), K² = c/(c+1) · exp(−2ε/√c · arctan(1/√c)).
  GaussianProblem problem;
  problem.signal = {Vector::Constant(1, 1.0), Matrix::Constant(1, 1, 0.2)};
  problem.initial = {Vector::Constant(1, -3.0), Matrix::Constant(1, 1, 2.0)};
  problem.channel = {Matrix::Identity(1, 1), Matrix::Identity(1, 1)};
  problem.rule = TransportRule::linear(0.1);
  double c = 2.0, m = -3.0;
  for (const Iterate& made : iterate(problem, 20)) {
    EXPECT_NEAR(made.law.covariance_DD(0, 0), c, 1e-14);
    EXPECT_NEAR(made.law.mean_D(0), m, 1e-14);
    const double gain = std::sqrt(c / (c + 1.0)) * std::exp(-0.1 / std::sqrt(c) * std::atan(1.0 / std::sqrt(c)));
    m += gain * (1.0 - m);
    c += gain * gain * (0.2 - c);
  }
}

TEST(Recursion, RestsAtTheSignal) {
  for (const TransportRule& rule : {TransportRule::linear(0.3), TransportRule::stochastic(0.1), TransportRule::posterior()}) {
    GaussianProblem problem = random_problem(7, false, true);
    problem.initial = problem.signal;
    problem.rule = rule;
    for (const Iterate& made : iterate(problem, 3)) {
      EXPECT_LT(made.kl_nats, 1e-25);  // squares of rounding errors
      EXPECT_LT(made.w2, 1e-12);
    }
  }
}

TEST(Recursion, ConvergesFromAnyStart) {
  for (std::uint64_t index = 0; index < 8; ++index) {
    GaussianProblem problem = random_problem(index, false, true);
    problem.rule = TransportRule::linear(0.0);
    const auto iterates = iterate(problem, 300);
    EXPECT_LT(iterates.back().kl_nats, 1e-8 * iterates.front().kl_nats) << index;
  }
}

TEST(Recursion, StopsWhereItIsToldTo) {
  GaussianProblem problem = random_problem(2, true, false);
  problem.rule = TransportRule::linear(0.0);
  const auto iterates = iterate(problem, 1000, [](const Iterate& made) { return made.kl_nats < 1e-3; });
  EXPECT_LT(iterates.back().kl_nats, 1e-3);
  EXPECT_GT(iterates[iterates.size() - 2].kl_nats, 1e-3);
}

TEST(Recursion, OverRelaxedBeyondItsRangeSaysSo) {
  // c' = c + ω K² (c* − c) with c = 4, c* = 0.1, K² = 0.8: negative for ω > 1.28.
  GaussianProblem problem;
  problem.signal = {Vector::Zero(1), Matrix::Constant(1, 1, 0.1)};
  problem.initial = {Vector::Zero(1), Matrix::Constant(1, 1, 4.0)};
  problem.channel = {Matrix::Identity(1, 1), Matrix::Identity(1, 1)};
  problem.rule = TransportRule::linear(0.0);
  problem.over_relaxation = 1.27;
  EXPECT_NO_THROW(step(problem, problem.initial));
  problem.over_relaxation = 1.3;
  EXPECT_NE(test_support::message_of<NumericalError>([&] { step(problem, problem.initial); }).find("over_relaxation"), std::string::npos);
}

}  // namespace
}  // namespace unchannel::theory::test
