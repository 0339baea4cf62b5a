#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <cstdint>
#include <set>
#include <unchannel/base/random.hpp>
#include <vector>

namespace unchannel {
namespace {

TEST(RandomKey, PurposesAndTagsGiveDifferentKeys) {
  const RandomKey key(42);
  std::set<std::uint64_t> seen{key.value()};
  for (std::uint64_t tag = 0; tag < 1000; ++tag) seen.insert(key.derive(tag).value());
  EXPECT_EQ(seen.size(), 1001u);
  EXPECT_EQ(key.derive(Purpose::kDropout).value(), key.derive(8).value());
  EXPECT_NE(key.derive(1).derive(2).value(), key.derive(2).derive(1).value());
  EXPECT_NE(RandomKey(43).derive(1).value(), key.derive(1).value());
}

TEST(RandomKey, ValuesAreThoseOfTheHeader) {
  const std::uint64_t key = 0x0123456789abcdef, id = (std::uint64_t{5} << 40) + 3;
  std::vector<float> normals(64), uniforms(64);
  RandomKey(key).normal(id, 0, 64, normals.data());
  RandomKey(key).uniform(id, 0, 64, uniforms.data());
  for (std::uint32_t i = 0; i < 64; ++i) {
    // Bits, not tolerances: the vectorised clones of the fill loops must not fuse or reorder any operation.
    EXPECT_EQ(normals[i], unchannel_normal(key, id, i, 0)) << i;
    EXPECT_EQ(uniforms[i], unchannel_uniform(key, id, i, 0)) << i;
  }
}

TEST(RandomKey, ASliceHasTheBitsOfTheWhole) {
  const RandomKey key(7);
  std::vector<float> whole(101), slice(101);
  for (const bool normal : {true, false}) {
    const auto fill = [&](std::uint32_t first, std::uint32_t count, float* out) {
      normal ? key.normal(9, first, count, out) : key.uniform(9, first, count, out);
    };
    fill(0, 101, whole.data());
    for (const std::uint32_t first : {0u, 1u, 2u, 3u, 5u, 50u, 100u}) {
      fill(first, 101 - first, slice.data());
      for (std::uint32_t i = 0; i + first < 101; ++i) EXPECT_EQ(slice[i], whole[i + first]) << first << " + " << i;
    }
  }
}

TEST(RandomKey, NormalsHaveMeanZeroAndVarianceOne) {
  constexpr std::uint32_t kCount = 1000, kSamples = 1000;
  std::vector<float> values(kCount);
  double sum = 0, squares = 0;
  for (std::uint32_t id = 0; id < kSamples; ++id) {
    RandomKey(1).normal(id, 0, kCount, values.data());
    for (const float value : values) {
      sum += value;
      squares += static_cast<double>(value) * value;
    }
  }
  const double n = static_cast<double>(kCount) * kSamples;
  // Five standard errors: 1/sqrt(n) of the mean, sqrt(2/n) of the variance.
  EXPECT_NEAR(sum / n, 0.0, 5.0 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1.0, 5.0 * std::sqrt(2.0 / n));
}

TEST(RandomKey, UniformsLieInTheOpenIntervalWithTheRightMoments) {
  std::vector<float> values(1000000);
  RandomKey(2).uniform(0, 0, static_cast<std::uint32_t>(values.size()), values.data());
  double sum = 0;
  for (const float value : values) {
    ASSERT_GT(value, 0.0f);
    ASSERT_LT(value, 1.0f);
    sum += value;
  }
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(sum / n, 0.5, 5.0 / std::sqrt(12.0 * n));
}

TEST(RandomKey, BitsDifferBetweenIdsAndElements) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t id = 0; id < 100; ++id)
    for (std::uint32_t element = 0; element < 100; ++element) seen.insert(RandomKey(3).bits(id, element));
  EXPECT_EQ(seen.size(), 10000u);
}

}  // namespace
}  // namespace unchannel
