#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>

#include <unchannel/base/error.hpp>
#include <unchannel/theory/affine_transport.hpp>
#include <unchannel/theory/path_law.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

constexpr std::uint64_t kCases = 50;

/// Two ways to the same gain, which error control of 1e-12 a step leaves within 1e-8.
void expect_equal(const Matrix& a, const Matrix& b, const std::string& name) { EXPECT_LT(largest(a - b), 1e-8) << name; }

/// The largest deviation of the closed form of `rule` from its integration so far.
double compared(const TransportRule& rule, const GaussianProblem& problem, const Matrix& covariance, double before) {
  const auto known = known_gain(rule, problem.channel, covariance);
  return known ? std::max(before, largest(*known - integrated_gain(rule, problem.channel, covariance))) : INFINITY;
}

TEST(TransportGain, ClosedFormsEqualTheIntegration) {
  double worst = 0.0;
  for (std::uint64_t index = 0; index < kCases; ++index) {
    const GaussianProblem problem = random_problem(index, true, false);
    const double epsilon = Draw(index).uniform(0.01, 1.0);
    for (const TransportRule& rule : {TransportRule::linear(epsilon), TransportRule::linear_growing(epsilon),
                                      TransportRule::diffusion(epsilon), TransportRule::linear(0.0), TransportRule::diffusion(0.0)}) {
      worst = compared(rule, problem, problem.initial.covariance_DD, worst);
    }
  }
  EXPECT_LT(worst, 1e-8);
  std::printf("white noise, %d cases, 5 rules: at most %.1e\n", static_cast<int>(kCases), worst);
}

TEST(TransportGain, ClosedFormOfTheOdeHoldsForAnyNoise) {
  double worst = 0.0;
  for (std::uint64_t index = 0; index < kCases; ++index) {
    const GaussianProblem problem = random_problem(index, false, false);
    for (const TransportRule& rule : {TransportRule::linear(0.0), TransportRule::diffusion(0.0)}) {
      worst = compared(rule, problem, problem.signal.covariance_DD, worst);
    }
  }
  EXPECT_LT(worst, 1e-8);
  std::printf("any noise, %d cases, 2 rules: at most %.1e\n", static_cast<int>(kCases), worst);
}

TEST(TransportGain, IsKnownOnlyWhereItsIntegralIs) {
  const GaussianProblem white = random_problem(3, true, false), coloured = random_problem(3, false, false),
                        blurred = random_problem(3, true, true);
  const Matrix& c = white.signal.covariance_DD;
  EXPECT_FALSE(known_gain(TransportRule::stochastic(0.1), white.channel, c));
  EXPECT_FALSE(known_gain(TransportRule::trigonometric(0.0), white.channel, c));
  EXPECT_FALSE(known_gain(TransportRule::linear(0.1), coloured.channel, c));
  EXPECT_FALSE(known_gain(TransportRule::linear(0.0), blurred.channel, c));
}

TEST(TransportGain, WithEpsilonEqualToTTimesTheNoiseVarianceIsThePosteriors) {
  for (std::uint64_t index = 0; index < kCases; ++index) {
    const GaussianProblem problem = random_problem(index, true, false);
    const Matrix& covariance = problem.initial.covariance_DD;
    const Matrix posterior = posterior_gain(problem.channel, covariance);
    const TransportRule rule = TransportRule::linear_growing(problem.channel.noise_DD(0, 0));
    expect_equal(integrated_gain(rule, problem.channel, covariance), posterior, "case " + std::to_string(index));
    const Matrix expected = covariance - posterior * covariance;  // the posterior's covariance, written in another way
    expect_equal(transport_noise(problem.channel, covariance, transport_gain(rule, problem.channel, covariance)), expected, "noise");
  }
}

TEST(TransportGain, OfTheChannelsOwnDiffusionReversedIsThePosteriors) {
  for (std::uint64_t index = 0; index < kCases; ++index) {
    const GaussianProblem problem = random_problem(index, true, false);
    const TransportRule rule = TransportRule::diffusion(0.5 * problem.channel.noise_DD(0, 0));
    const Matrix& covariance = problem.initial.covariance_DD;
    expect_equal(integrated_gain(rule, problem.channel, covariance), posterior_gain(problem.channel, covariance),
                 "case " + std::to_string(index));
  }
}

TEST(TransportGain, OfAnOdeKeepsTheCovarianceForEverySchedule) {
  for (std::uint64_t index = 0; index < 24; ++index) {
    const GaussianProblem problem = random_problem(index, false, true);
    const Matrix& covariance = problem.initial.covariance_DD;
    for (const TransportRule& rule : {TransportRule::linear(0.0), TransportRule::stochastic(0.0), TransportRule::trigonometric(0.0),
                                      TransportRule::polynomial(0.0, 2.0)}) {
      const Matrix noise = transport_noise(problem.channel, covariance, transport_gain(rule, problem.channel, covariance));
      EXPECT_LT(largest(noise), 1e-8) << index;  // K S Kᵀ = C: a deterministic map that moves N(Hm, S) onto N(m, C)
    }
  }
}

TEST(TransportGain, OfTheLinearAndTheDiffusionsOdeAgree) {
  // Same laws of I_t at equal amounts of noise, so the same map (docs/theory/interpolants.md).
  const GaussianProblem problem = random_problem(5, false, false);
  expect_equal(integrated_gain(TransportRule::linear(0.0), problem.channel, problem.signal.covariance_DD),
               integrated_gain(TransportRule::diffusion(0.0), problem.channel, problem.signal.covariance_DD), "ODE");
}

TEST(TransportGain, ThatCannotBeIntegratedSaysHowFarItCame) {
  GaussianProblem problem = random_problem(0, true, true);
  EXPECT_THROW(integrated_gain(TransportRule::trigonometric(1e9), problem.channel, Matrix::Constant(1, 1, 1e-9)), NumericalError);
}

class EverySchedule : public testing::TestWithParam<int> {};

TransportRule schedule_number(int number) {
  switch (number) {
    case 0:
      return TransportRule::linear(0.1);
    case 1:
      return TransportRule::stochastic(0.1, 0.7);
    case 2:
      return TransportRule::trigonometric(0.1);
    case 3:
      return TransportRule::polynomial(0.1, 3.0);
    default:
      return TransportRule::diffusion(0.1);
  }
}

TEST_P(EverySchedule, JoinsSignalAndObservationWithTheRatesItStates) {
  const TransportRule rule = schedule_number(GetParam());
  const SchedulePoint begin = rule.schedule(0.0), end = rule.schedule(1.0);
  for (const auto& [value, expected] : {std::pair{begin.alpha, 1.0},
                                        {begin.beta, 0.0},
                                        {begin.gamma_squared, 0.0},
                                        {end.alpha, 0.0},
                                        {end.beta, 1.0},
                                        {end.gamma_squared, 0.0}}) {
    EXPECT_NEAR(value, expected, 1e-15);
  }
  constexpr double h = 1e-6;
  for (const double t : {0.2, 0.55, 0.9}) {
    const SchedulePoint s = rule.schedule(t), after = rule.schedule(t + h), before = rule.schedule(t - h);
    // Central differences: h² times a third derivative below 1e2, and rounding 1e-16/h.
    EXPECT_NEAR(s.alpha_rate, (after.alpha - before.alpha) / (2.0 * h), 1e-9);
    EXPECT_NEAR(s.beta_rate, (after.beta - before.beta) / (2.0 * h), 1e-9);
    EXPECT_NEAR(s.gamma_squared_rate, (after.gamma_squared - before.gamma_squared) / (2.0 * h), 1e-9);
  }
}

TEST_P(EverySchedule, HasTheSpreadThatItsVelocityMakes) {
  // dΣ/dt = N + Nᵀ for any process with that covariance of velocity and place.
  const GaussianProblem problem = random_problem(6, false, GetParam() != 4);
  const TransportRule rule = schedule_number(GetParam());
  constexpr double h = 1e-5;
  const auto law = [&](double t) { return path_law(rule, problem.channel, problem.signal.covariance_DD, t); };
  for (const double t : {0.2, 0.55, 0.9}) {
    const Matrix rate = (law(t + h).spread_DD - law(t - h).spread_DD) / (2.0 * h), cross = law(t).cross_DD;
    EXPECT_LT(largest(rate - cross - cross.transpose()), 1e-7);
  }
}

INSTANTIATE_TEST_SUITE_P(All, EverySchedule, testing::Range(0, 5));

}  // namespace
}  // namespace unchannel::theory::test
