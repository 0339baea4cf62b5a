#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/two_sample.hpp>

#include "golden/golden.hpp"
#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;
using metrics_test::wave_sample;

TEST(EnergyDistance, AgreesWithScipyDistances) {
  const at::Tensor a = wave_sample(60, 0.0), b = wave_sample(90, 0.4) * 1.1, c = wave_sample(60, 0.4) * 1.1;
  EXPECT_NEAR(energy_distance(a, b), golden::kEnergy, 1e-9);
  EXPECT_NEAR(energy_distance(a, c, {.paired = true}), golden::kEnergyPaired, 1e-9);
}

TEST(EnergyDistance, OfShiftedPointsInOneDimensionIsTwiceTheShift) {
  // Two points against two points far away: 2·s − 0·… with |X − X′| = |Y − Y′| = 1 gives 2s − 2 + …: computed by hand below.
  const at::Tensor x = at::tensor({0.0, 1.0}).unsqueeze(1), y = at::tensor({10.0, 11.0}).unsqueeze(1);
  // E|X − Y| = (10 + 11 + 9 + 10)/4 = 10, E|X − X′| = E|Y − Y′| = 1.
  EXPECT_NEAR(energy_distance(x, y), 2 * 10.0 - 1 - 1, 1e-9);
}

TEST(EnergyDistance, IsUnbiasedForEqualLaws) {
  double sum = 0;
  for (std::uint64_t k = 0; k < 40; ++k) sum += energy_distance(normals(50, 10, 2 * k), normals(50, 10, 2 * k + 1));
  // A V-statistic would average 2 E|X − X′|/50 = 0.17; ours 0 ± 0.02 a draw.
  EXPECT_NEAR(sum / 40, 0.0, 0.02);
}

TEST(Mmd, AgreesWithScipyDistances) {
  const at::Tensor a = wave_sample(60, 0.0), b = wave_sample(90, 0.4) * 1.1;
  const MmdResult result = mmd(a, b);
  EXPECT_NEAR(result.bandwidth, golden::kBandwidth, 1e-10);
  EXPECT_NEAR(result.mmd_squared, golden::kMmdSquared, 1e-10);
}

TEST(Mmd, GaussianShiftMatchesTheClosedForm) {
  // One dimension, N(0,1) against N(m,1), kernel width h: MMD² = 2 h/√(h² + 2) · (1 − exp(−m²/(2(h² + 2)))).
  const at::Tensor a = normals(1900, 1, 1) + 1.0, b = normals(1900, 1, 2);
  const MmdResult result = mmd(a, b);
  const double h2 = result.bandwidth * result.bandwidth;
  const double expected = 2 * std::sqrt(h2 / (h2 + 2)) * (1 - std::exp(-1 / (2 * (h2 + 2))));
  EXPECT_NEAR(result.mmd_squared, expected, 0.03);  // s.e. about 4·√(Var h₁ / n) = 0.01
  EXPECT_NEAR(result.bandwidth, 0.954, 0.05);       // median |X − X′| = √2 · 0.6745
}

TEST(TwoSample, ManyRowsAreThinnedEvenlyAndRepeatably) {
  const at::Tensor a = normals(5000, 3, 3), b = normals(4000, 3, 4);
  EXPECT_EQ(energy_distance(a, b, {.max_rows = 100}), energy_distance(a, b, {.max_rows = 100}));
  const at::Tensor every_fiftieth = a.slice(0, 0, 5000, 50), every_fortieth = b.slice(0, 0, 4000, 40);
  EXPECT_DOUBLE_EQ(energy_distance(a, b, {.max_rows = 100}), energy_distance(every_fiftieth, every_fortieth));
}

TEST(TwoSample, BadInputIsNamed) {
  EXPECT_THROW(energy_distance(at::zeros({1, 3}), at::zeros({5, 3})), ShapeError);
  EXPECT_THROW(energy_distance(at::zeros({5, 3}), at::zeros({5, 4})), ShapeError);
  EXPECT_THROW(energy_distance(at::zeros({5, 3}), at::zeros({4, 3}), {.paired = true}), ShapeError);
  EXPECT_THROW(energy_distance(at::full({5, 3}, std::numeric_limits<float>::infinity()), at::zeros({5, 3})), DataError);
  EXPECT_THROW(mmd(at::zeros({5, 3}), at::zeros({5, 3})), NumericalError);
}

}  // namespace
}  // namespace unchannel::metrics
