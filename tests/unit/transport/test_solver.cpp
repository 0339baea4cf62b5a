#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include <unchannel/base/error.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {
namespace {

constexpr double kVariance = 0.5;

/// Drift of the linear interpolant between N(0, c) and its AWGN observation with unit noise: Var I = c + t², b = t X / (c + t²).
/// The ODE from t = 1 to 0 multiplies by √(c/(c+1)).
at::Tensor gaussian_drift(double t, const at::Tensor& x) { return x * (t / (kVariance + t * t)); }

double error_of(const std::string& solver, std::int64_t steps) {
  const at::Tensor x = at::ones({1, 1}, at::kDouble);
  return std::abs(integrate_ode(gaussian_drift, x, solver, steps).item<double>() - std::sqrt(kVariance / (1.0 + kVariance)));
}

class Order : public testing::TestWithParam<std::pair<const char*, double>> {};

TEST_P(Order, IsReachedWhenStepsAreHalved) {
  const auto [solver, order] = GetParam();
  const double measured = std::log2(error_of(solver, 128) / error_of(solver, 256));
  EXPECT_GT(measured, order - 0.3) << solver;  // higher-order terms at h = 1/128; midpoint happens to be of third order here
}

INSTANTIATE_TEST_SUITE_P(Solvers, Order,
                         testing::Values(std::pair("euler", 1.0), std::pair("heun", 2.0), std::pair("midpoint", 2.0),
                                         std::pair("multistep", 2.0)));

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

TEST(Solver, RefusesAnUnknownName) { EXPECT_THROW(integrate_ode(gaussian_drift, at::ones({1, 1}), "rk7", 8), ConfigError); }

TEST(SdeSolver, KeepsTheGaussianMarginal) {
  // Stochastic interpolant between N(0, c) and N(0, c+1): Var I = c + t² + γ², score −X/Var; any ε leaves the law at t = 0.
  const auto terms = [](double t, const at::Tensor& x) {
    const double gamma = t * (1.0 - t), rate = 1.0 - 2.0 * t, variance = kVariance + t * t + gamma * gamma;
    SdeTerms result;
    result.drift_ND = x * ((t + gamma * rate) / variance);
    if (gamma > 0.0) result.noise_over_gamma_ND = x / variance;
    return result;
  };
  constexpr std::int64_t kSamples = 40000;
  const at::Tensor ids = at::arange(kSamples, at::kLong);
  const at::Tensor y = normal_rows(RandomKey(1), ids, 1) * std::sqrt(1.0 + kVariance);
  const at::Tensor x = integrate_sde(terms, y, 0.5, 256, RandomKey(2), ids);
  // Standard error of a variance from 40,000 draws: c·√(2/N) = 0.7 %; Euler–Maruyama at h = 1/256 adds below 1 %.
  EXPECT_NEAR(x.var().item<double>(), kVariance, 0.03 * kVariance);
}

}  // namespace
}  // namespace unchannel
