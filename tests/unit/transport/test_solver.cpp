#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

#include <unchannel/base/error.hpp>
#include <unchannel/transport/solver.hpp>

#include "gaussian_path.hpp"

namespace unchannel {
namespace {

const char* const kPaths[] = {"linear", "trigonometric", "polynomial", "fokker_planck", "quadratic", "sine_squared"};

double ode_error(const GaussianPath& path, const std::string& solver, std::int64_t steps) {
  const auto drift = [&](double t, const at::Tensor& x) { return path.terms(t, x).drift_ND; };
  return std::abs(integrate_ode(drift, at::ones({1, 1}, at::kDouble), solver, steps).item<double>() - path.factor());
}

using OdeCase = std::tuple<const char*, std::pair<const char*, double>>;
class OdeOrder : public testing::TestWithParam<OdeCase> {};

TEST_P(OdeOrder, IsReachedOnEveryPathWhenStepsAreHalved) {
  const auto& [name, solver] = GetParam();
  const GaussianPath path = gaussian_path(path_settings(name));
  const double measured = std::log2(ode_error(path, solver.first, 256) / ode_error(path, solver.first, 512));
  EXPECT_GT(measured, solver.second - 0.2) << name << ' ' << solver.first;  // higher-order terms at h = 1/256
  EXPECT_LT(ode_error(path, solver.first, 512), solver.second > 1.0 ? 1e-4 : 1e-2);
}

INSTANTIATE_TEST_SUITE_P(Solvers, OdeOrder,
                         testing::Combine(testing::ValuesIn(kPaths), testing::Values(std::pair("euler", 1.0), std::pair("heun", 2.0),
                                                                                     std::pair("midpoint", 2.0))));

TEST(MultistepSolver, IsOfSecondOrderOnStraightPaths) {
  for (const char* name : {"linear", "fokker_planck"}) {
    const GaussianPath path = gaussian_path(path_settings(name));
    ASSERT_TRUE(path.interpolant.straight());
    EXPECT_GT(std::log2(ode_error(path, "multistep", 128) / ode_error(path, "multistep", 256)), 1.7) << name;  // higher-order terms
  }
}

TEST(Solver, NeverAsksForTheDriftAtTimeZero) {
  for (const char* solver : {"euler", "heun", "midpoint", "multistep"}) {
    double earliest = 1.0;
    integrate_ode([&](double t, const at::Tensor& x) { return earliest = std::min(earliest, t), x / t; }, at::ones({1, 1}), solver, 8);
    EXPECT_GT(earliest, 0.0) << solver;
  }
}

TEST(Solver, RemovesWhatLiesOutsideTheSignalExactly) {
  // b = X/t is the drift of pure noise: the path is a straight line into 0 for every solver.
  for (const char* solver : {"euler", "heun", "midpoint", "multistep"}) {
    const at::Tensor end = integrate_ode([](double t, const at::Tensor& x) { return x / t; }, at::ones({1, 3}, at::kDouble), solver, 8);
    EXPECT_LT(end.abs().max().item<double>(), 1e-12) << solver;
  }
}

TEST(Solver, RefusesAnUnknownName) {
  const auto drift = [](double, const at::Tensor& x) { return x; };
  EXPECT_THROW(integrate_ode(drift, at::ones({1, 1}), "rk7", 8), ConfigError);
  const auto terms = [](double, const at::Tensor& x) { return SdeTerms{x, x}; };
  EXPECT_THROW(integrate_sde(terms, at::ones({1, 1}), [](double) { return 0.1; }, "midpoint", 8, RandomKey(1), at::zeros({1}, at::kLong)),
               ConfigError);
}

/// Adaptive transport of rows y along `path`, with the number of drift evaluations of all rows.
struct AdaptiveRun {
  at::Tensor end;
  std::int64_t calls = 0;
};

AdaptiveRun run_adaptive(const GaussianPath& path, const at::Tensor& y, std::int64_t levels, double tolerance) {
  AdaptiveRun run;
  const auto drift = [&](const at::Tensor& level_A, const at::Tensor& x_AD, const at::Tensor&) {
    at::Tensor b = at::empty_like(x_AD);
    for (std::int64_t row = 0; row < x_AD.size(0); ++row) {
      b[row] = path.terms(static_cast<double>(level_A[row].item<std::int64_t>()) / static_cast<double>(levels), x_AD[row]).drift_ND;
    }
    run.calls += x_AD.size(0);
    return b;
  };
  run.end = integrate_adaptive(drift, y, levels, tolerance, 1.0);
  return run;
}

TEST(AdaptiveSolver, FollowsItsToleranceWithFewerCallsThanEqualSteps) {
  const GaussianPath path = gaussian_path(path_settings("trigonometric"));
  const at::Tensor y = at::ones({1, 1}, at::kDouble);
  double previous = 1.0;
  for (const double tolerance : {1e-2, 1e-3, 1e-4}) {
    const AdaptiveRun run = run_adaptive(path, y, 1024, tolerance);
    const double error = std::abs(run.end.item<double>() - path.factor());
    // The estimate is Euler's local error, of which Heun's is a small part: the sum over the steps stays below a few tolerances.
    EXPECT_LT(error, 5.0 * tolerance);
    EXPECT_LT(error, previous);
    EXPECT_LT(run.calls, 1024) << "fewer than the 2,047 of equal steps on that grid";
    previous = error;
  }
}

TEST(AdaptiveSolver, GivesARowTheSamePathWhateverRowsAreBesideIt) {
  const GaussianPath path = gaussian_path(path_settings("linear"));
  const at::Tensor y = at::tensor({0.1, -1.0, 7.0}, at::kDouble).unsqueeze(1);
  const at::Tensor together = run_adaptive(path, y, 64, 1e-3).end;
  for (std::int64_t row = 0; row < 3; ++row) {
    EXPECT_EQ(run_adaptive(path, y.slice(0, row, row + 1), 64, 1e-3).end.item<double>(), together[row].item<double>());
  }
}

/// The end of the SDE's scheme on a linear drift is A y + Σ cᵢ ξᵢ: mean factor A and variance Σ cᵢ², found exactly by regression on the
/// normals that the solver itself draws, since more rows than unknowns determine them.
struct SchemeLaw {
  double factor, variance;
};

SchemeLaw sde_law(const GaussianPath& path, const std::string& solver, std::int64_t steps) {
  const RandomKey key(9);
  const at::Tensor ids = at::arange(4 * steps, at::kLong);
  const at::Tensor y = normal_rows(RandomKey(3), ids, 1);
  const auto terms = [&](double t, const at::Tensor& x) { return path.terms(t, x); };
  const at::Tensor end =
      integrate_sde(terms, y.to(at::kDouble), [&](double t) { return path.interpolant.epsilon(t); }, solver, steps, key, ids);
  std::vector<at::Tensor> columns = {y.to(at::kDouble)};
  for (std::int64_t i = 2; i <= steps; ++i) columns.push_back(normal_rows(key.derive(static_cast<std::uint64_t>(i)), ids, 1).to(at::kDouble));
  const at::Tensor design = at::cat(columns, 1);
  const at::Tensor solved = std::get<0>(at::linalg_lstsq(design, end, std::nullopt, "gelsd")).squeeze(1);
  EXPECT_LT((design.matmul(solved.unsqueeze(1)) - end).abs().max().item<double>(), 1e-6) << "the scheme is linear in y and its normals";
  return {solved[0].item<double>(), solved.slice(0, 1).square().sum().item<double>()};
}

InterpolantSettings sde_settings(const std::string& name) {
  InterpolantSettings settings = path_settings(name == "posterior" ? "linear" : name);
  if (name == "posterior") {
    settings.noise_sigma = 0.8;
    settings.epsilon_schedule = "posterior";
  } else {
    settings.epsilon = 0.3;
  }
  return settings;
}

class SdeOrder : public testing::TestWithParam<const char*> {};

TEST_P(SdeOrder, OfTheLawAtTheSignalIsOneForEulerAndTwoForHeun) {
  const GaussianPath path = gaussian_path(sde_settings(GetParam()));
  const double observed = path.variance + path.sigma * path.sigma;
  const auto error = [&](const std::string& solver, std::int64_t steps) {
    const SchemeLaw law = sde_law(path, solver, steps);
    return std::abs(law.factor * law.factor * observed + law.variance - path.variance);
  };
  EXPECT_GT(std::log2(error("euler", 64) / error("euler", 128)), 0.8) << GetParam();
  EXPECT_GT(std::log2(error("heun", 64) / error("heun", 128)), 1.6) << GetParam();
  EXPECT_LT(error("heun", 128), 0.2 * error("euler", 128)) << GetParam();
}

INSTANTIATE_TEST_SUITE_P(Paths, SdeOrder, testing::Values("quadratic", "sine_squared", "fokker_planck", "posterior"));

TEST(PosteriorSchedule, GivesTheExactPosteriorOfTheChannel) {
  for (const char* kind : {"linear", "fokker_planck"}) {
    InterpolantSettings settings = sde_settings("posterior");
    settings.kind = kind;
    const GaussianPath path = gaussian_path(settings);
    const double noise = path.sigma * path.sigma, seen = path.variance + noise;
    const SchemeLaw law = sde_law(path, "heun", 256);
    // Bayes for y = x + σn: mean c/(c+σ²)·y, variance cσ²/(c+σ²). Second order leaves (1/256)² times a constant of order ten.
    EXPECT_NEAR(law.factor, path.variance / seen, 2e-4) << kind;
    EXPECT_NEAR(law.variance, path.variance * noise / seen, 2e-4) << kind;
  }
}

TEST(FokkerPlanckPath, IsTheTimeReversalOfTheChannelForHalfItsDiffusion) {
  // The channel is dX = σ dW over unit time, ε = σ²/2 [SCSI, eq. 12]: its reversal is the posterior schedule.
  InterpolantSettings constant = path_settings("fokker_planck"), posterior = constant;
  constant.epsilon = 0.5 * constant.noise_sigma * constant.noise_sigma;
  posterior.epsilon_schedule = "posterior";
  for (const double t : {0.1, 0.5, 1.0}) EXPECT_DOUBLE_EQ(Interpolant(constant).epsilon(t), Interpolant(posterior).epsilon(t));
}

}  // namespace
}  // namespace unchannel
