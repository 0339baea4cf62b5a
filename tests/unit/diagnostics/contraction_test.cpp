#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/base/random.hpp>
#include <unchannel/diagnostics/contraction.hpp>

namespace unchannel::diagnostics {
namespace {

constexpr std::int64_t kK = 20;

std::vector<double> outer_iterations(double step) {
  std::vector<double> outer_K;
  for (std::int64_t k = 0; k < kK; ++k) outer_K.push_back(2 + step * static_cast<double>(k));
  return outer_K;
}

/// Two coordinates: the mean of the first goes geometrically from `distance` to 0, everything has white noise.
at::Tensor geometric(const std::vector<double>& outer_K, double rate, double distance, double noise, std::uint64_t seed) {
  at::Tensor law_KQS = at::empty({kK, 2, 2}, at::kFloat);
  RandomKey(seed).normal(0, 0, kK * 4, law_KQS.mutable_data_ptr<float>());
  law_KQS = noise * law_KQS.to(at::kDouble);
  for (std::int64_t k = 0; k < kK; ++k)
    law_KQS[k][0][0] += distance * std::pow(rate, outer_K[static_cast<std::size_t>(k)] - outer_K.front());
  return law_KQS;
}

OpenGap no_gap() { return {at::zeros({2, 2}, at::kDouble), 0.0}; }

TEST(Contraction, FindsTheRateAndTheRemainingDistanceOfAGeometricSequence) {
  const std::vector<double> outer_K = outer_iterations(0.5);
  const Contraction fit = fit_contraction(outer_K, geometric(outer_K, 0.8, 1.0, 0.0, 1), no_gap());
  const double remaining = std::pow(0.8, 9.5);  // nineteen steps of half an iteration
  EXPECT_TRUE(fit.moved);
  EXPECT_NEAR(fit.rate, 0.8, 0.01);  // the grid of rates has steps of 2 % in −ln ρ
  EXPECT_NEAR(fit.remaining, remaining, 0.01);
  EXPECT_NEAR(fit.ahead_high, remaining * (1 - remaining), 0.01);
  EXPECT_NEAR(fit.iterations_to(0.01), std::log(fit.remaining / 0.01) / -std::log(fit.rate), 1e-9);
}

TEST(Contraction, ItsIntervalCoversTheTrueRateInNineteenOfTwentySequences) {
  const std::vector<double> outer_K = outer_iterations(0.5);
  int covered = 0;
  constexpr int kSequences = 400;
  for (int i = 0; i < kSequences; ++i) {
    const Contraction fit = fit_contraction(outer_K, geometric(outer_K, 0.75, 0.5, 0.02, 100 + static_cast<std::uint64_t>(i)), no_gap());
    covered += fit.rate_low <= 0.75 && 0.75 <= fit.rate_high;
  }
  // Binomial standard deviation 0.011; half a step of the grid and the factor for correlated residuals, at least 1, make the interval
  // wider.
  EXPECT_GE(covered, 0.95 * kSequences - 3 * 0.011 * kSequences);
}

TEST(Contraction, NoiseAloneHasNotMovedAndBoundsWhatIsAhead) {
  const std::vector<double> outer_K = outer_iterations(0.5);
  int moved = 0;
  double largest = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    const Contraction fit = fit_contraction(outer_K, geometric(outer_K, 0.8, 0.0, 0.01, 1000 + i), no_gap());
    moved += fit.moved;
    largest = std::max(largest, fit.ahead_high);
    EXPECT_TRUE(fit.moved || fit.rate_high == 1);
  }
  EXPECT_LE(moved, 8);  // 1 % expected
  // A drift over as many iterations again has the error 0.01 √(12/20) times z = 2.5 and an estimate of the same size, inflated by chance
  // correlations.
  EXPECT_LT(largest, 0.08);
}

TEST(Contraction, ASteadyDriftHasNoRateAndNoEnd) {
  const std::vector<double> outer_K = outer_iterations(1);
  at::Tensor law_KQS = geometric(outer_K, 0.8, 0.0, 0.001, 3);
  for (std::int64_t k = 0; k < kK; ++k) law_KQS[k][1][1] += 0.01 * static_cast<double>(k);
  const Contraction fit = fit_contraction(outer_K, law_KQS, no_gap());
  EXPECT_TRUE(fit.moved);
  EXPECT_EQ(fit.rate_high, 1);
  EXPECT_NEAR(fit.ahead_high, 0.19, 0.02);  // as much again
}

TEST(Contraction, ClosesAGapOnlyWhereItMovesAgainstIt) {
  const std::vector<double> outer_K = outer_iterations(0.5);
  // The mean of the first coordinate falls geometrically and has 0.5 · 0.8^9.5 = 0.06 before it; noise of 0.001 is far below.
  const at::Tensor law_KQS = geometric(outer_K, 0.8, 0.5, 0.001, 5);
  const double left = std::pow(0.8, 9.5);
  const auto closing = [&](double first, double second, double noise) {
    at::Tensor gap_QS = at::zeros({2, 2}, at::kDouble);
    gap_QS[0][0] = first;
    gap_QS[1][1] = second;
    return fit_contraction(outer_K, law_KQS, {gap_QS, noise}).closing_high;
  };
  EXPECT_NEAR(closing(0.5 * left, 0, 0), 1 - left, 0.05);                          // this gap is what is being closed
  EXPECT_NEAR(closing(0.5 * left, 0, 0.1 * left * left), 1.67 * (1 - left), 0.1);  // of which 0.1/0.25 is the noise of two samples
  EXPECT_LT(closing(0, 0.3, 0), 0.01);                                             // another one
  EXPECT_EQ(closing(-0.3, 0, 0), 0);                                               // it grows
  EXPECT_TRUE(std::isinf(closing(0.1, 0, 0.02)));                                  // no gap stands out of the noise
}

TEST(Contraction, RefusesTooFewEvaluations) {
  EXPECT_THROW(fit_contraction({1, 2, 3, 4, 5}, at::zeros({5, 2, 2}, at::kDouble), no_gap()), ShapeError);
  EXPECT_THROW(fit_contraction({1, 1, 1, 1, 1, 1}, at::zeros({6, 2, 2}, at::kDouble), no_gap()), ShapeError);
}

}  // namespace
}  // namespace unchannel::diagnostics
