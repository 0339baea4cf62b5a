#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/sliced_distance.hpp>
#include <unchannel/metrics/two_sample.hpp>

#include "golden/golden.hpp"
#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;
using metrics_test::wave_sample;

TEST(SlicedW2, UnequalSizesAgreeWithRepeatedSamples) {
  // Along the axes; float32 projections of values of order 1.
  EXPECT_NEAR(sliced_w2(wave_sample(60, 0.0), wave_sample(90, 0.4) * 1.1, at::eye(7)), golden::kAxisW2, 1e-6);
}

TEST(SlicedW2, EqualSizesAndMergedStepsAgree) {
  const at::Tensor a = at::randn({8, 50}), b = at::randn({8, 50});
  const at::Tensor sorted_a = std::get<0>(a.sort(1)), sorted_b = std::get<0>(b.sort(1));
  const at::Tensor twice = std::get<0>(at::cat({b, b}, 1).sort(1));  // every object twice: the same law
  EXPECT_LT((wasserstein2_squared(sorted_a, sorted_b) - wasserstein2_squared(sorted_a, twice)).abs().max().item<double>(), 1e-12);
}

TEST(SlicedW2, AShiftIsSeenAlongEveryDirection) {
  const at::Tensor x = normals(200, 5, 1);
  const at::Tensor shift = at::arange(5, at::kFloat);
  const at::Tensor directions = fixed_directions(5);
  // W2 of a translation is |v·shift|, exactly.
  const double expected = std::sqrt(at::matmul(directions, shift).to(at::kDouble).square().mean().item<double>());
  EXPECT_NEAR(sliced_w2(x + shift, x, directions), expected, 1e-5);
}

TEST(SlicedW2, GaussianScaleMatchesTheClosedForm) {
  // W2 of N(0, 1) and N(0, s²) is s − 1 in every direction; the sample of 4,000 adds about 0.03 in quadrature.
  const at::Tensor directions = fixed_directions(4, 64);
  EXPECT_NEAR(sliced_w2(1.5 * normals(4000, 4, 2), normals(4000, 4, 3), directions), 0.5, 0.02);
}

TEST(EnergyOfSorted, IsTheEnergyDistanceOfEveryDirection) {
  const at::Tensor a = normals(50, 3, 21), b = 1.4 * normals(80, 3, 22) + 0.3;
  const at::Tensor directions = at::eye(3);
  const at::Tensor result = energy_of_sorted(sorted_projections(a, directions), sorted_projections(b, directions));
  for (std::int64_t d = 0; d < 3; ++d)  // the general routine, in one dimension
    EXPECT_NEAR(result[d].item<double>(), energy_distance(a.slice(1, d, d + 1), b.slice(1, d, d + 1)), 1e-6);
}

TEST(FixedDirections, AreUnitVectorsAndDoNotDependOnTheirNumber) {
  const at::Tensor directions = fixed_directions(33, 256);
  EXPECT_LT((directions.norm(2, {1}) - 1).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(directions.slice(0, 0, 10), fixed_directions(33, 10)));
}

TEST(ExcessSlicedW2, VanishesForTheSameLawAndFindsTheExcessOfAnother) {
  const at::Tensor directions = fixed_directions(6, 256), reference = normals(20000, 6, 4), clean = normals(1000, 6, 5);
  const ExcessDistance same = excess_sliced_w2(normals(1000, 6, 6), reference, clean, directions);
  EXPECT_LT(same.excess, same.floor);  // distance² scatters by about half the floor² from draw to draw
  EXPECT_GT(same.floor, 0.02);  // √(a few / 1000)
  const ExcessDistance wide = excess_sliced_w2(1.3 * normals(1000, 6, 7), reference, clean, directions);
  EXPECT_NEAR(wide.excess, 0.3, 0.03);
  EXPECT_NEAR(wide.excess * wide.excess, wide.distance * wide.distance - wide.floor * wide.floor, 1e-12);
  EXPECT_THROW(excess_sliced_w2(normals(999, 6, 1), reference, clean, directions), ShapeError);
  // Several sets of clean rows: the mean of their squared floors.
  const ExcessDistance two = excess_sliced_w2(normals(500, 6, 6), reference, clean, directions);
  const double first = excess_sliced_w2(normals(500, 6, 6), reference, clean.slice(0, 0, 500), directions).floor;
  const double second = excess_sliced_w2(normals(500, 6, 6), reference, clean.slice(0, 500), directions).floor;
  EXPECT_NEAR(two.floor * two.floor, 0.5 * (first * first + second * second), 1e-12);
}

TEST(ExcessSlicedW2, PairedRowsDoNotHideAWrongLaw) {
  const at::Tensor truth = normals(2000, 6, 8), directions = fixed_directions(6, 256);
  EXPECT_LT(excess_sliced_w2_paired(truth, truth, directions).excess, 1e-12);
  EXPECT_NEAR(excess_sliced_w2_paired(0.7 * truth, truth, directions).excess, 0.3, 0.03);
}

TEST(SlicedW2, BlocksOfDirectionsGiveTheSameNumbersBitForBit) {
  // Small integers, whose projections no order of summation rounds: the blocks alone could make a difference.
  const auto integers = [](std::int64_t rows, std::uint64_t key) { return (4 * normals(rows, 6, key)).round(); };
  const at::Tensor directions = integers(17, 1), sample = integers(40, 2), reference = integers(300, 3), clean = integers(80, 4);
  const ExcessDistance whole = excess_sliced_w2(sample, reference, clean, directions),
                       paired = excess_sliced_w2_paired(sample, clean.slice(0, 0, 40), directions);
  for (const std::int64_t numbers : {1, 1000, 4000}) {  // blocks of 1, 2 and 11 directions, of which 17 is no multiple
    const ExcessDistance blocks = excess_sliced_w2(sample, reference, clean, directions, numbers);
    EXPECT_EQ(blocks.distance, whole.distance);
    EXPECT_EQ(blocks.floor, whole.floor);
    EXPECT_EQ(excess_sliced_w2_paired(sample, clean.slice(0, 0, 40), directions, numbers).excess, paired.excess);
    EXPECT_EQ(sliced_w2(sample, reference, directions, numbers), whole.distance);
  }
}

}  // namespace
}  // namespace unchannel::metrics
