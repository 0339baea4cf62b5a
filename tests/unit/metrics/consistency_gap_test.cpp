#include <gtest/gtest.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/consistency_gap.hpp>

#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;

// A signal in 3 of 256 directions under unit noise.
at::Tensor noisy(std::int64_t rows, std::uint64_t key, float amplitude) {
  at::Tensor basis = normals(3, 256, 99);
  basis = basis / basis.norm(2, {1}, true);
  return amplitude * at::matmul(normals(rows, 3, key), basis) + normals(rows, 256, key + 1000);
}

TEST(ConsistencyGap, IsZeroOnAverageForEqualLaws) {
  const ConsistencyGap gap(noisy(1000, 1, 5));
  double squared = 0, energy = 0;
  for (std::uint64_t k = 0; k < 10; ++k) {
    const GapResult result = gap(noisy(700, 10 + k, 5));
    squared += result.excess_squared / 10;
    energy += result.energy / 10;
  }
  const double floor = gap(noisy(700, 30, 5)).floor;
  EXPECT_LT(std::abs(squared), 0.35 * floor * floor);  // one draw scatters by about the floor²/2; the observed sample is common to all ten
  EXPECT_NEAR(energy, 0.0, 0.01);
}

TEST(ConsistencyGap, SeesAFewSignalDirectionsInALotOfNoise) {
  const ConsistencyGap gap(noisy(1000, 1, 5));
  EXPECT_GT(gap(noisy(1000, 3, 4)).relative, 0.05);  // signal 20 % too weak
  EXPECT_GT(gap(noisy(1000, 3, 4)).excess_squared, 3 * std::abs(gap(noisy(1000, 4, 5)).excess_squared));
}

TEST(ConsistencyGap, FallsAsTheLawComesNearer) {
  const ConsistencyGap gap(noisy(1000, 1, 5));
  EXPECT_GT(gap(noisy(1000, 3, 2)).excess, gap(noisy(1000, 3, 3)).excess);
  EXPECT_GT(gap(noisy(1000, 3, 3)).excess, gap(noisy(1000, 3, 4)).excess);
}

/// Signals in 3 directions, scaled by `amplitude`, under noise of their own.
at::Tensor observed_again(const at::Tensor& signal_N3, float amplitude, std::uint64_t noise_key) {
  at::Tensor basis = normals(3, 256, 99);
  basis = basis / basis.norm(2, {1}, true);
  return amplitude * at::matmul(signal_N3, basis) + normals(signal_N3.size(0), 256, noise_key);
}

TEST(ConsistencyGap, OfFewRowsIsSharperAgainstTheRowsRestoredFrom) {
  constexpr std::uint64_t kDraws = 20;
  double paired_mean = 0, paired_square = 0, plain_square = 0, weaker = 0;
  for (std::uint64_t k = 0; k < kDraws; ++k) {
    const at::Tensor signal_N3 = normals(64, 3, 100 + k), own = observed_again(signal_N3, 5, 300 + k), again = observed_again(signal_N3, 5, 500 + k);
    const ConsistencyGap gap(noisy(64, 700 + k, 5));
    const double paired = gap(again, own).excess_squared, plain = gap(again).excess_squared;
    paired_mean += paired / kDraws;
    paired_square += paired * paired / kDraws;
    plain_square += plain * plain / kDraws;
    weaker += gap(observed_again(signal_N3, 3.5, 500 + k), own).excess_squared / kDraws;
  }
  const double scatter = std::sqrt(paired_square);
  EXPECT_LT(scatter, 0.3 * std::sqrt(plain_square));
  EXPECT_LT(std::abs(paired_mean), 3 * scatter / std::sqrt(static_cast<double>(kDraws))) << "equal laws: zero on average";
  EXPECT_GT(weaker, 3 * scatter) << "signals 30 % too weak";
}

TEST(ConsistencyGap, ReportsADivergedSimulationAsInfinite) {
  const ConsistencyGap gap(noisy(100, 1, 5));
  at::Tensor bad = noisy(100, 2, 5);
  bad[3][4] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isinf(gap(bad).excess));
}

TEST(ConsistencyGap, BadInputIsNamed) {
  EXPECT_THROW(ConsistencyGap(at::zeros({7, 3})), ShapeError);
  EXPECT_THROW(ConsistencyGap(at::full({10, 3}, std::numeric_limits<float>::quiet_NaN())), DataError);
  EXPECT_THROW(ConsistencyGap(normals(10, 3, 1))(normals(10, 4, 1)), ShapeError);
  EXPECT_THROW(ConsistencyGap(normals(10, 3, 1))(normals(10, 3, 1), normals(9, 3, 1)), ShapeError);
}

TEST(ConsistencyGap, IsCheapEnoughToBeCalledWhileTraining) {
  const at::Tensor observed = normals(2000, 1024, 1), simulated = normals(2000, 1024, 2);
  const ConsistencyGap gap(observed);
  const std::clock_t start = std::clock();
  gap(simulated);
  const double cpu_s = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  RecordProperty("cpu_ms", static_cast<int>(1000 * cpu_s));
  EXPECT_LT(cpu_s, 2.0);  // processor time, so that a loaded machine does not matter: about 0.1 s, more where idle threads spin
}

}  // namespace
}  // namespace unchannel::metrics
