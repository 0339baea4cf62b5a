#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <set>
#include <vector>

namespace {

TEST(Philox, GivesThePublishedRandom123Vectors) {
  struct {
    uint32_t counter[4];
    uint64_t key;
    uint32_t words[4];
  } const vectors[] = {
      {{0, 0, 0, 0}, 0, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
      {{~0U, ~0U, ~0U, ~0U}, ~uint64_t{0}, {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
      {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822, {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
  };
  for (const auto& v : vectors) {
    uint32_t words[4];
    unchannel_philox4x32_10(v.counter, v.key, words);
    EXPECT_TRUE(std::equal(words, words + 4, v.words));
  }
}

TEST(Random, EveryElementAndBlockOwnsItsOwnWord) {
  uint32_t block_of_four[4];
  unchannel_words4(8, 9, 2, 3, block_of_four);
  for (uint32_t lane = 0; lane < 4; ++lane) {
    EXPECT_EQ(unchannel_word(8, 9, 8 + lane, 3), block_of_four[lane]);
  }
  std::set<uint32_t> words;
  for (uint32_t element = 0; element < 100; ++element) {
    for (uint32_t block = 0; block < 10; ++block) {
      words.insert(unchannel_word(8, 9, element, block));
    }
  }
  EXPECT_EQ(words.size(), 1000U);  // a collision among 1000 of 2^32 has probability 1e-4; the key is fixed
}

TEST(Random, DerivedKeysDependOnEveryBitOfKeyAndTag) {
  std::set<uint64_t> keys{unchannel_derive(1, 2)};
  for (int bit = 0; bit < 64; ++bit) {
    keys.insert(unchannel_derive(1 ^ uint64_t{1} << bit, 2));
    keys.insert(unchannel_derive(1, 2 ^ uint64_t{1} << bit));
  }
  EXPECT_EQ(keys.size(), 129U);
  EXPECT_NE(unchannel_tag(1, 2), unchannel_tag(2, 1));
}

TEST(Random, UniformsStayInsideTheOpenIntervalAndAreSymmetric) {
  EXPECT_EQ(unchannel_uniform_from_word(0), std::ldexp(1.0F, -24));
  EXPECT_EQ(unchannel_uniform_from_word(~0U), 1 - std::ldexp(1.0F, -24));
  for (uint32_t word = 0; word < 1000000; word += 4099) {
    EXPECT_EQ(unchannel_uniform_from_word(word), 1 - unchannel_uniform_from_word(~word));
  }
}

TEST(Random, BelowIsExactAndReachesBothEnds) {
  EXPECT_EQ(unchannel_below(0, 6), 0U);
  EXPECT_EQ(unchannel_below(~0U, 6), 5U);
  EXPECT_EQ(unchannel_below(0x80000000U, 6), 3U);
  EXPECT_EQ(unchannel_below(~0U, ~0U), ~0U - 1);
}

TEST(Random, LogarithmAndAngleMeetTheirStatedErrors) {
  double worst_log = 0, worst_angle = 0;
  for (uint32_t odd = 1; odd < 1U << 24; odd += odd < 4096 || odd > (1U << 24) - 4096 ? 2 : 62) {
    const double u = odd / 16777216.0;
    const double exact = -2 * std::log(u);
    worst_log = std::max(worst_log, std::abs(static_cast<double>(unchannel_minus_two_log(odd)) - exact) / exact);
    float cosine = 0, sine = 0;
    unchannel_cos_sin_turn(odd, &cosine, &sine);
    worst_angle = std::max({worst_angle, std::abs(static_cast<double>(cosine) - std::cos(2 * std::numbers::pi * u)),
                            std::abs(static_cast<double>(sine) - std::sin(2 * std::numbers::pi * u))});
  }
  EXPECT_LT(worst_log, 3e-7);
  EXPECT_LT(worst_angle, 1.2e-7);
}

TEST(Random, BulkAndScalarNormalsHaveTheSameBits) {
  for (const uint32_t element0 : {0U, 1U, 2U, 3U, 5U, 1000000U, 0xFFFFF000U}) {
    for (const uint64_t count : {0ULL, 1ULL, 3ULL, 4ULL, 15ULL, 17ULL, 64ULL, 65ULL, 300ULL, 1024ULL}) {
      std::vector<float> bulk(count + 1, 777.0F), uniforms(count + 1, 777.0F);
      unchannel_normal_fill(1, 2, element0, count, bulk.data());
      unchannel_uniform_fill(1, 2, element0, count, uniforms.data());
      for (uint64_t i = 0; i < count; ++i) {
        ASSERT_EQ(bulk[i], unchannel_normal(1, 2, element0 + static_cast<uint32_t>(i), 0)) << element0 << " " << i;
        ASSERT_EQ(uniforms[i], unchannel_uniform(1, 2, element0 + static_cast<uint32_t>(i), 0));
      }
      EXPECT_EQ(bulk[count], 777.0F);
      EXPECT_EQ(uniforms[count], 777.0F);
    }
  }
}

TEST(Random, NormalsHaveTheMomentsOfAStandardNormalAndNoCorrelationBetweenSamples) {
  constexpr uint64_t kCount = 1024, kSamples = 1000;
  const double n = kCount * kSamples;
  double sum = 0, squares = 0, fourth = 0, neighbours = 0, between = 0;
  std::vector<float> row(kCount), before(kCount, 0.0F);
  for (uint64_t id = 0; id < kSamples; ++id) {
    unchannel_normal_fill(42, id, 0, kCount, row.data());
    for (size_t i = 0; i < kCount; ++i) {
      const auto z = static_cast<double>(row[i]);
      sum += z, squares += z * z, fourth += z * z * z * z;
      neighbours += i > 0 ? z * static_cast<double>(row[i - 1]) : 0;
      between += z * static_cast<double>(before[i]);
    }
    before = row;
  }
  // Standard errors 1/sqrt(n), sqrt(2/n), sqrt(96/n); limits at 4.
  EXPECT_LT(std::abs(sum / n), 4 / std::sqrt(n));
  EXPECT_LT(std::abs(squares / n - 1), 4 * std::sqrt(2 / n));
  EXPECT_LT(std::abs(fourth / n - 3), 4 * std::sqrt(96 / n));
  EXPECT_LT(std::abs(neighbours / n), 4 / std::sqrt(n));
  EXPECT_LT(std::abs(between / n), 4 / std::sqrt(n));
}

}  // namespace
