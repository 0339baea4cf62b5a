#include <gtest/gtest.h>

#include <Eigen/Cholesky>
#include <algorithm>
#include <boost/math/quadrature/gauss_kronrod.hpp>
#include <cmath>

#include <unchannel/theory/theorem.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

Iterate measured(const GaussianProblem& problem, const Gaussian& law) {
  return {law, kl_nats(problem.signal, law), w2(problem.signal, law)};
}

/// A law near the signal: moments moved by about `size` of theirs.
Iterate nearby(const GaussianProblem& problem, Draw& draw, double size) {
  const Eigen::Index d = problem.signal.mean_D.size();
  const Matrix lower = problem.signal.covariance_DD.llt().matrixL();
  const double of_mean = draw.uniform(0.0, 1.0);
  const Vector shift = size * of_mean * draw.normal(d);
  const Matrix change = size * (1.0 - of_mean) * symmetric_part(draw.normal(d, d));
  return measured(problem, {problem.signal.mean_D + lower * shift, problem.signal.covariance_DD + lower * change * lower.transpose()});
}

GaussianProblem scalar_problem(double c, const TransportRule& rule) {
  GaussianProblem problem;
  problem.signal = problem.initial = {Vector::Zero(1), Matrix::Constant(1, 1, c)};
  problem.channel = {Matrix::Identity(1, 1), Matrix::Identity(1, 1)};
  problem.rule = rule;
  return problem;
}

TEST(ConditionNumber, OfWhiteNoiseIsTheClosedFormOfTheWorstDirection) {
  for (const double c : {0.1, 1.0, 20.0}) {
    EXPECT_NEAR(condition_number(scalar_problem(c, TransportRule::linear(0.0)), {}).local / std::pow((1.0 + c) / c, 2), 1.0, 1e-13);
  }
}

TEST(ConditionNumber, BoundsTheRatioOfNearbyLawsAndIsReached) {
  const GaussianProblem problem = random_problem(3, false, true);
  const double local = condition_number(problem, {}).local;
  Draw draw(5);
  double largest = 0.0;
  for (int i = 0; i < 300; ++i) {
    const double ratio = kl_ratio(problem, nearby(problem, draw, 1e-5));
    EXPECT_LE(ratio, local * (1.0 + 1e-3));  // the next order of the divergences is 1e-5 of them
    EXPECT_GE(ratio, 1.0);                   // data processing
    largest = std::max(largest, ratio);
  }
  EXPECT_GT(largest, 0.05 * local);
}

TEST(ConditionNumber, OverASetBoundsEveryLawInItAndIsNearlyReached) {
  for (std::uint64_t index = 0; index < 8; ++index) {
    const GaussianProblem problem = random_problem(index, false, true);
    const Iterate start = measured(problem, problem.initial);
    const ConditionNumber chi = condition_number(problem, {start});
    EXPECT_LE(chi.set_lower, chi.set_upper * (1.0 + 1e-12));
    EXPECT_LE(chi.iterates, chi.set_upper);
    Draw draw(index);
    const Matrix lower = problem.signal.covariance_DD.llt().matrixL();
    for (int i = 0; i < 50; ++i) {
      const Matrix covariance = lower * draw.covariance(lower.rows(), chi.least_share, 4.0) * lower.transpose();
      EXPECT_LE(kl_ratio(problem, measured(problem, {problem.signal.mean_D + draw.normal(lower.rows()), covariance})), chi.set_upper);
    }
  }
}

TEST(ConditionNumber, GrowsWithoutLimitWhereVariancesVanish) {
  const GaussianProblem problem = scalar_problem(1.0, TransportRule::linear(0.0));
  double before = 0.0;
  for (const double variance : {1.0, 0.1, 1e-2, 1e-3}) {
    const Iterate law = measured(problem, {Vector::Zero(1), Matrix::Constant(1, 1, variance * (1.0 - 1e-6))});
    const ConditionNumber chi = condition_number(problem, {law});
    EXPECT_GT(chi.set_lower, before);
    EXPECT_GE(chi.set_lower, chi.iterates * (1.0 - 1e-6));
    before = chi.set_lower;
  }
}

TEST(DriftSensitivity, IsZeroForTheReverseOfTheChannelsOwnDiffusion) {
  for (std::uint64_t index = 0; index < 8; ++index) {
    GaussianProblem problem = random_problem(index, true, false);
    const double noise = problem.channel.noise_DD(0, 0);
    for (const TransportRule& rule : {TransportRule::diffusion(0.5 * noise), TransportRule::linear_growing(noise)}) {
      problem.rule = rule;
      EXPECT_LT(local_drift_sensitivity(problem).drift_term, 1e-20);
      EXPECT_LT(drift_sensitivity(problem, measured(problem, problem.initial)).drift_term, 1e-20);
    }
    problem.rule = TransportRule::linear(0.1);
    EXPECT_GT(local_drift_sensitivity(problem).lipschitz, 1e-3);
  }
}

TEST(DriftSensitivity, InOneDirectionIsTheWorseOfMeanAndVariance) {
  for (const TransportRule& rule : {TransportRule::linear(0.3), TransportRule::stochastic(0.1), TransportRule::trigonometric(0.2)}) {
    const GaussianProblem problem = scalar_problem(0.7, rule);
    const double h = 1e-4;
    const double of_mean = drift_sensitivity(problem, measured(problem, {Vector::Constant(1, h), problem.signal.covariance_DD})).lipschitz;
    const double of_variance =
        drift_sensitivity(problem, measured(problem, {Vector::Zero(1), Matrix::Constant(1, 1, 0.7 * (1.0 + h))})).lipschitz;
    EXPECT_NEAR(local_drift_sensitivity(problem).lipschitz / std::max(of_mean, of_variance), 1.0, 10.0 * h);
  }
}

TEST(DriftSensitivity, LocallyBoundsNearbyLawsAndIsApproached) {
  for (std::uint64_t index = 1; index < 5; ++index) {
    GaussianProblem problem = random_problem(index, false, true);
    problem.rule = TransportRule::stochastic(0.2);
    const DriftSensitivity local = local_drift_sensitivity(problem);
    EXPECT_NEAR(local.drift_term, local.lipschitz / 0.8, 1e-9 * local.lipschitz);
    Draw draw(index);
    double largest = 0.0;
    for (int i = 0; i < 300; ++i) largest = std::max(largest, drift_sensitivity(problem, nearby(problem, draw, 1e-5)).lipschitz);
    EXPECT_LE(largest, local.lipschitz * (1.0 + 1e-3));
    EXPECT_GT(largest, 0.1 * local.lipschitz);
  }
}

TEST(DriftSensitivity, HoldsForAVarianceFarBelowTheNoise) {
  // One direction, linear path: F = (t − ε)/(c + t²); adaptive quadrature of the same integral, split where the integrand lives.
  const double c = 1e-4, other = 1.1e-4, shift = 1e-3, epsilon = 0.1;
  const GaussianProblem problem = scalar_problem(c, TransportRule::linear(epsilon));
  const Iterate law = measured(problem, {Vector::Constant(1, shift), Matrix::Constant(1, 1, other)});
  const auto squared = [&](double t) {
    const double f = (t - epsilon) / (c + t * t), f_other = (t - epsilon) / (other + t * t);
    return std::pow(f_other * shift, 2) + std::pow(f - f_other, 2) * (c + t * t);
  };
  using Quadrature = boost::math::quadrature::gauss_kronrod<double, 61>;
  const double integral = Quadrature::integrate(squared, 0.0, 0.1, 15, 1e-12) + Quadrature::integrate(squared, 0.1, 1.0, 15, 1e-12);
  EXPECT_NEAR(drift_sensitivity(problem, law).lipschitz / (integral / law.kl_nats), 1.0, 1e-6);
}

TEST(DriftSensitivity, ThatEpsilonCannotPayForIsInfinite) {
  GaussianProblem problem = random_problem(3, true, true);
  const Iterate start = measured(problem, problem.initial);
  problem.rule = TransportRule::of(TransportRule::linear(0.0).schedule,
                                   [](double t) { return 0.3 * (1.0 - t); });  // zero at t = 1, where drifts differ
  EXPECT_TRUE(std::isinf(local_drift_sensitivity(problem).drift_term));
  EXPECT_TRUE(std::isinf(drift_sensitivity(problem, start).drift_term));
  problem.rule = TransportRule::linear_growing(0.3);  // zero at t = 0, where the place alone tells the velocity, whatever the law
  EXPECT_TRUE(std::isfinite(local_drift_sensitivity(problem).drift_term));
  EXPECT_TRUE(std::isfinite(drift_sensitivity(problem, start).drift_term));
}

TEST(Theorem1, BoundsEveryIterationByItsOwnConstants) {
  // What its proof shows of one iteration: KL' ≤ (1 + L/4ε − 1/χ) KL with this iterate's ratios.
  for (std::uint64_t index = 0; index < 15; ++index) {
    GaussianProblem problem = random_problem(index, index % 2 == 0, index % 3 != 0);
    const double epsilon = Draw(index).uniform(0.1, 2.0);
    const TransportRule rules[] = {TransportRule::diffusion(epsilon), TransportRule::linear(epsilon), TransportRule::stochastic(epsilon)};
    problem.rule = rules[index % 3];
    const auto iterates = iterate(problem, 6);
    for (std::size_t k = 0; k + 1 < iterates.size(); ++k) {
      const double factor = 1.0 + drift_sensitivity(problem, iterates[k]).drift_term - 1.0 / kl_ratio(problem, iterates[k]);
      EXPECT_LE(iterates[k + 1].kl_nats, factor * iterates[k].kl_nats * (1.0 + 1e-9)) << "case " << index << ", iteration " << k;
    }
  }
}

TEST(Theorem1, BoundsTheWholeRunWhereItApplies) {
  int applied = 0;
  for (std::uint64_t index = 0; index < 12; ++index) {
    GaussianProblem problem = random_problem(index, true, false);
    problem.rule = index % 2 ? TransportRule::posterior() : TransportRule::diffusion(0.55 * problem.channel.noise_DD(0, 0));
    const auto iterates = iterate(problem, 20);
    const TheoremBound bound = theorem_bound(problem, iterates);
    applied += bound.applies ? 1 : 0;
    if (!bound.applies) continue;
    for (std::size_t k = 0; k < iterates.size(); ++k) EXPECT_LE(iterates[k].kl_nats, bound.kl_nats[k]);
  }
  EXPECT_GE(applied, 6);
}

TEST(Theorem1, SaysWhyItDoesNotApply) {
  GaussianProblem problem = random_problem(1, true, false);
  problem.rule = TransportRule::linear(0.0);
  TheoremBound bound = theorem_bound(problem, iterate(problem, 3));
  EXPECT_FALSE(bound.applies);
  EXPECT_TRUE(bound.kl_nats.empty());
  EXPECT_NE(bound.reason.find("epsilon > 0"), std::string::npos);
  problem.rule = TransportRule::linear(0.01);
  bound = theorem_bound(problem, iterate(problem, 3));
  EXPECT_FALSE(bound.applies);
  EXPECT_NE(bound.reason.find("is not below 4 epsilon/chi"), std::string::npos);
  EXPECT_EQ(bound.kl_nats.size(), 4U);
  problem.rule = TransportRule::posterior();
  problem.over_relaxation = 1.1;
  bound = theorem_bound(problem, iterate(problem, 3));
  EXPECT_FALSE(bound.applies);
  EXPECT_NE(bound.reason.find("over_relaxation"), std::string::npos);
  problem.initial = problem.signal;
  bound = theorem_bound(problem, iterate(problem, 3));
  EXPECT_FALSE(bound.applies);
  EXPECT_NE(bound.reason.find("equals the signal"), std::string::npos);
}

}  // namespace
}  // namespace unchannel::theory::test
