#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include <unchannel/verification/claims.hpp>

namespace unchannel::verification {
namespace {

constexpr double kEpsilon = 0.3;

theory::GaussianProblem one_dimensional(double variance, double noise_variance) {
  theory::GaussianProblem problem;
  problem.signal = {theory::Vector::Constant(1, 2.0), theory::Matrix::Constant(1, 1, variance)};
  problem.initial = {theory::Vector::Constant(1, 0.0), theory::Matrix::Constant(1, 1, variance + noise_variance)};
  problem.channel = {theory::Matrix::Identity(1, 1), theory::Matrix::Constant(1, 1, noise_variance)};
  problem.rule = theory::TransportRule::linear(kEpsilon);
  return problem;
}

std::vector<theory::Gaussian> laws_of(const std::vector<theory::Iterate>& iterates) {
  std::vector<theory::Gaussian> laws;
  for (const theory::Iterate& iterate : iterates) laws.push_back(iterate.law);
  return laws;
}

theory::TheorySettings with_epsilon(double epsilon) {
  theory::TheorySettings settings;
  settings.epsilon = epsilon;
  return settings;
}

const Claim& named(const std::vector<Claim>& claims, const std::string& name) {
  return *std::find_if(claims.begin(), claims.end(), [&](const Claim& claim) { return claim.name == name; });
}

/// The configured SDE with its ODE and EM, three repeats each that follow `learn` of the theory's own iterates.
std::vector<SchemeResult> results(const std::function<void(const Scheme&, std::vector<theory::Gaussian>&, int repeat)>& learn) {
  std::vector<SchemeResult> all;
  for (const Scheme& scheme : schemes_of(one_dimensional(1.0, 0.5), with_epsilon(kEpsilon), 64)) {
    std::vector<std::vector<theory::Gaussian>> repeats;
    for (int repeat = 0; repeat < 3; ++repeat) {
      repeats.push_back(laws_of(theory::iterate(scheme.problem, 5)));
      learn(scheme, repeats.back(), repeat);
    }
    all.push_back(compare(scheme, repeats, 0.01));
  }
  return all;
}

TEST(Claims, AllHoldWhenTheEngineFollowsTheTheory) {
  const std::vector<Claim> claims = claims_of(results([](const Scheme&, std::vector<theory::Gaussian>&, int) {}));
  ASSERT_EQ(claims.size(), 11u);  // three of each scheme, ODE against SDE and against EM
  for (const Claim& claim : claims) {
    EXPECT_TRUE(claim.holds && claim.tested) << claim.name;
    if (claim.name != "iterates") {
      EXPECT_NEAR(claim.measured, claim.predicted, 1e-12) << claim.name;
    }
  }
}

TEST(Claims, IteratesFailBeyondTheAllowanceOfOneFit) {
  // One fit may be wrong by 0.01 spreads: iterate 1, moved by 0.02 of them in all repeats, is not.
  for (const double moved : {0.005, 0.02}) {
    const std::vector<Claim> claims = claims_of(results([&](const Scheme& scheme, std::vector<theory::Gaussian>& laws, int) {
      if (scheme.name == "configured") laws[1].mean_D(0) += moved * std::sqrt(laws[1].covariance_DD(0, 0));
    }));
    EXPECT_EQ(claims.front().holds, moved < 0.01);
    EXPECT_NEAR(claims.front().measured, moved / 0.01, 1e-6);
  }
}

TEST(Claims, ScatterOfTheRepeatsWidensTheTolerance) {
  const std::vector<SchemeResult> all = results([](const Scheme&, std::vector<theory::Gaussian>& laws, int repeat) {
    laws[1].mean_D(0) += 0.03 * (repeat - 1) * std::sqrt(laws[1].covariance_DD(0, 0));
  });
  // Standard deviation 0.03 of three repeats; five standard errors beside the 0.01 of one fit.
  EXPECT_NEAR(all.front().measured[1].mean_scatter, 0.03 / std::sqrt(3.0), 1e-9);
  EXPECT_NEAR(all.front().measured[1].mean_tolerance, 0.01 + 5 * 0.03 / std::sqrt(3.0), 1e-9);
}

TEST(Claims, RateFailsWhenTheEngineTakesEveryOtherStepOnly) {
  const std::vector<Claim> claims = claims_of(results([](const Scheme& scheme, std::vector<theory::Gaussian>& laws, int) {
    if (scheme.name != "ode") return;
    const std::vector<theory::Gaussian> right = laws;
    for (std::size_t k = 1; k < laws.size(); ++k) laws[k] = right[k / 2];
  }));
  EXPECT_TRUE(named(claims, "rate").holds);  // of the configured scheme, which is the first
  EXPECT_FALSE(named(claims, "ODE against SDE").holds);
  EXPECT_FALSE(named(claims, "ODE against EM").holds);
}

TEST(Claims, AreNotTestedWhereTheStartIsTheSignal) {
  theory::GaussianProblem problem = one_dimensional(1.0, 0.5);
  problem.initial = problem.signal;
  const Scheme scheme = schemes_of(problem, {}, 64).front();
  const std::vector<theory::Gaussian> laws = laws_of(theory::iterate(scheme.problem, 3));
  const std::vector<Claim> claims = claims_of({compare(scheme, {laws, laws}, 0.01)});
  EXPECT_TRUE(named(claims, "iterates").tested);
  EXPECT_FALSE(named(claims, "rate").tested);
  EXPECT_FALSE(named(claims, "linear convergence").tested);
}

}  // namespace
}  // namespace unchannel::verification
