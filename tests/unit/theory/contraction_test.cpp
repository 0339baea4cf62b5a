#include <gtest/gtest.h>

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>

#include <unchannel/theory/contraction.hpp>

#include "random_cases.hpp"

namespace unchannel::theory::test {
namespace {

GaussianProblem scalar_problem(double signal, double start, const TransportRule& rule) {
  GaussianProblem problem;
  problem.signal = {Vector::Constant(1, 1.0), Matrix::Constant(1, 1, signal)};
  problem.initial = {Vector::Zero(1), Matrix::Constant(1, 1, start)};
  problem.channel = {Matrix::Identity(1, 1), Matrix::Identity(1, 1)};
  problem.rule = rule;
  return problem;
}

double largest_modulus(const Matrix& a) { return Eigen::EigenSolver<Matrix>(a, false).eigenvalues().cwiseAbs().maxCoeff(); }

/// Derivative of step() at the signal by central differences: over means, or over symmetric covariances in the basis of their lower
/// triangles.
Matrix derivative(const GaussianProblem& problem, bool of_means) {
  const Eigen::Index d = problem.signal.mean_D.size(), count = of_means ? d : d * (d + 1) / 2;
  constexpr double h = 1e-5;
  const auto moved = [&](Eigen::Index index, double by) {
    Gaussian law = problem.signal;
    if (of_means) {
      law.mean_D(index) += by;
      return Vector(step(problem, law).mean_D);
    }
    Eigen::Index k = 0;
    for (Eigen::Index i = 0; i < d; ++i) {
      for (Eigen::Index j = 0; j <= i; ++j, ++k) {
        if (k != index) continue;
        law.covariance_DD(i, j) += by;
        if (i != j) law.covariance_DD(j, i) += by;
      }
    }
    const Matrix covariance = step(problem, law).covariance_DD;
    Vector triangle(count);
    k = 0;
    for (Eigen::Index i = 0; i < d; ++i) {
      for (Eigen::Index j = 0; j <= i; ++j) triangle(k++) = covariance(i, j);
    }
    return triangle;
  };
  Matrix result(count, count);
  for (Eigen::Index index = 0; index < count; ++index) result.col(index) = (moved(index, h) - moved(index, -h)) / (2.0 * h);
  return result;
}

TEST(Contraction, IsTheDerivativeOfOneIterationAtTheSignal) {
  for (std::uint64_t index = 0; index < 8; ++index) {
    GaussianProblem problem = random_problem(index, false, true);
    problem.rule = index % 2 ? TransportRule::linear(0.2) : TransportRule::stochastic(0.0);
    const Contraction c = contraction(problem.rule, problem.channel, problem.signal.covariance_DD);
    // Differences of a smooth function over 1e-5: errors of 1e-10 squared terms and 1e-11/1e-5 of the integration.
    EXPECT_NEAR(c.mean_rate, largest_modulus(derivative(problem, true)), 1e-5) << index;
    EXPECT_NEAR(c.covariance_rate, largest_modulus(derivative(problem, false)), 1e-5) << index;
  }
}

TEST(Contraction, InOneDirectionIsThatOfTheTalk) {
  for (const double c : {0.01, 0.3, 5.0}) {
    const GaussianProblem problem = scalar_problem(c, 1.0, TransportRule::linear(0.0));
    const Contraction ode = contraction(problem.rule, problem.channel, problem.signal.covariance_DD);
    EXPECT_NEAR(ode.covariance_rate, 1.0 / (1.0 + c), 1e-14);
    EXPECT_NEAR(ode.mean_rate, 1.0 - std::sqrt(c / (1.0 + c)), 1e-14);
    const Contraction em = contraction(TransportRule::posterior(), problem.channel, problem.signal.covariance_DD);
    EXPECT_NEAR(em.covariance_rate, 1.0 - std::pow(c / (1.0 + c), 2), 1e-14);
    EXPECT_NEAR(em.mean_rate, 1.0 / (1.0 + c), 1e-14);
  }
}

TEST(Contraction, OfTheOdeIsTheFastestOfAllConstantEpsilonsAndBeatsEmAtLowSnr) {
  const GaussianProblem problem = scalar_problem(0.05, 1.0, TransportRule::linear(0.0));
  double before = 0.0;
  for (const double epsilon : {0.0, 0.01, 0.1, 1.0}) {
    const double rate = contraction(TransportRule::linear(epsilon), problem.channel, problem.signal.covariance_DD).covariance_rate;
    EXPECT_GT(rate, before);
    before = rate;
  }
  // ln(1 − c/(1+c))/ln(1 − (c/(1+c))²) = (1 + 1/c)(1 + O(c)).
  const double c = 1e-3;
  const Matrix low = Matrix::Constant(1, 1, c);
  const double ode = contraction(TransportRule::linear(0.0), problem.channel, low).covariance_rate;
  const double em = contraction(TransportRule::posterior(), problem.channel, low).covariance_rate;
  EXPECT_NEAR(std::log(ode) / std::log(em) * c, 1.0, 2e-3);
}

TEST(UniformContraction, HoldsInEveryIteration) {
  for (const double start : {0.02, 0.3, 4.0}) {
    for (const TransportRule& rule : {TransportRule::linear(0.0), TransportRule::linear(0.1), TransportRule::posterior()}) {
      const GaussianProblem problem = scalar_problem(0.3, start, rule);
      const auto uniform = uniform_contraction(problem);
      ASSERT_TRUE(uniform.has_value());
      const auto iterates = iterate(problem, 20);
      for (std::size_t k = 0; k + 1 < iterates.size(); ++k) {
        const auto error = [&](std::size_t i) { return std::abs(iterates[i].law.covariance_DD(0, 0) - 0.3); };
        EXPECT_LE(error(k + 1), uniform->covariance * error(k) + 1e-15);
        EXPECT_LE(1.0 - iterates[k + 1].law.mean_D(0), uniform->mean * (1.0 - iterates[k].law.mean_D(0)) + 1e-15);
      }
    }
  }
}

TEST(UniformContraction, IsOnlyClaimedWhereDirectionsAreShared) {
  GaussianProblem problem = random_problem(3, true, false);
  problem.rule = TransportRule::linear(0.1);
  EXPECT_FALSE(uniform_contraction(problem).has_value());
  problem.initial.covariance_DD = problem.signal.covariance_DD * problem.signal.covariance_DD;
  EXPECT_TRUE(uniform_contraction(problem).has_value());
}

TEST(Relaxation, OfRealResponsesIsTheTextbookOptimum) {
  const GaussianProblem problem = random_problem(4, true, false);
  const TransportRule rule = TransportRule::linear(0.1);
  const Contraction c = contraction(rule, problem.channel, problem.signal.covariance_DD);
  const Vector kappa = Vector::Ones(c.mean_D.size()) - c.mean_D;  // within (0, 1): symmetric gains of white noise
  const double least = kappa.minCoeff() * kappa.minCoeff(), most = kappa.maxCoeff();
  const Relaxation best = relaxation(rule, problem.channel, problem.signal.covariance_DD);
  EXPECT_NEAR(best.best, 2.0 / (least + most), 1e-8);
  EXPECT_NEAR(best.best_rate, (most - least) / (most + least), 1e-8);
  EXPECT_NEAR(best.largest_stable, 2.0 / most, 1e-12);
}

TEST(Relaxation, IsWhatOverRelaxedIterationsDo) {
  GaussianProblem problem = random_problem(2, false, true);
  problem.rule = TransportRule::linear(0.0);
  const Relaxation best = relaxation(problem.rule, problem.channel, problem.signal.covariance_DD);
  problem.over_relaxation = best.best;
  EXPECT_NEAR(std::max(largest_modulus(derivative(problem, true)), largest_modulus(derivative(problem, false))), best.best_rate, 1e-5);
  const Contraction relaxed = contraction(problem.rule, problem.channel, problem.signal.covariance_DD, best.best);
  EXPECT_NEAR(std::max(relaxed.mean_rate, relaxed.covariance_rate), best.best_rate, 1e-12);
  problem.over_relaxation = 1.001 * best.largest_stable;
  EXPECT_GT(std::max(largest_modulus(derivative(problem, true)), largest_modulus(derivative(problem, false))), 1.0);
}

TEST(Relaxation, OfADirectionTurnedOverIsHopeless) {
  GaussianProblem problem = scalar_problem(1.0, 1.0, TransportRule::linear(0.0));
  problem.channel.operator_DD(0, 0) = -1.0;
  EXPECT_EQ(relaxation(problem.rule, problem.channel, problem.signal.covariance_DD).largest_stable, 0.0);
  EXPECT_GT(contraction(problem.rule, problem.channel, problem.signal.covariance_DD).mean_rate, 1.0);
}

}  // namespace
}  // namespace unchannel::theory::test
