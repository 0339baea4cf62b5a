// The jpeg channel as any host sees it: loaded with dlopen. Equality with Pillow is in test_jpeg.py.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;
using unchannel::test::ReversePool;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/plugins/jpeg.so";

/// Waves and a little noise, in [0, 1].
Array<float> images(int64_t count, std::vector<int64_t> shape) {
  shape.insert(shape.begin(), count);
  Array<float> x(shape);
  for (int64_t i = 0; i < count; ++i) {
    unchannel_normal_fill(3, static_cast<uint64_t>(i), 0, static_cast<uint64_t>(x.width()), x.row(i));
    for (int64_t d = 0; d < x.width(); ++d) {
      const double wave = std::sin(0.3 * static_cast<double>(d) + static_cast<double>(i)) + std::cos(0.01 * static_cast<double>(d));
      x.row(i)[d] = std::clamp(static_cast<float>(0.5 + 0.2 * wave) + 0.05F * x.row(i)[d], 0.0F, 1.0F);
    }
  }
  return x;
}

Channel::Latents qualities(std::vector<int32_t> values) {
  Array<int32_t> quality({static_cast<int64_t>(values.size())});
  quality.values = std::move(values);
  Channel::Latents latents;
  latents.emplace("quality", quality);
  return latents;
}

TEST(Jpeg, DescribesItselfAndOffersNoDerivativeThatDoesNotExist) {
  Channel channel(kLibrary);
  EXPECT_STREQ(channel.descriptor->id, "org.unchannel.jpeg");
  EXPECT_EQ(channel.descriptor->determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  EXPECT_EQ(channel.descriptor->thread_class, UNCHANNEL_THREADS_REENTRANT);
  EXPECT_NE(channel.module->get_table(0, UNCHANNEL_MEAN_1), nullptr);
  for (const char* absent : {UNCHANNEL_VJP_1, UNCHANNEL_JVP_1, UNCHANNEL_ADJOINT_1, UNCHANNEL_LOGLIK_1, UNCHANNEL_LIFT_1}) {
    EXPECT_EQ(channel.module->get_table(0, absent), nullptr) << absent;
  }
  const unchannel_latent* quality = channel.core->latent(channel.instance, channel.latent_index("quality"));
  EXPECT_EQ(quality->dtype, UNCHANNEL_LATENT_I32);
  EXPECT_EQ(quality->flags, UNCHANNEL_LATENT_VISIBLE);
}

TEST(Jpeg, RefusesNonsenseAndKeepsTheFormerConfiguration) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({3, 8, 9}), UNCHANNEL_OK) << channel.error;
  const auto before = channel.simulate(1, images(2, {3, 8, 9}), qualities({50, 60}));
  const auto refused = [&](const std::vector<int64_t>& shape, const std::map<std::string, Channel::Value>& values, const char* what) {
    EXPECT_EQ(channel.configure(shape, values), UNCHANNEL_BAD_ARGUMENT) << what;
    EXPECT_NE(channel.error.find(what), std::string::npos) << channel.error;
  };
  refused({8}, {}, "[3, H, W]");
  refused({2, 8, 9}, {}, "2 planes");
  refused({1, 3, 8, 9}, {}, "rank 4");
  refused({65501, 8}, {}, "too large");
  refused({3, 65500, 65500}, {}, "too large");
  refused({8, 9}, {{"quality_min", int64_t{60}}, {"quality_max", int64_t{50}}}, "quality_min = 60");
  refused({8, 9}, {{"quality_min", int64_t{0}}}, "quality_min = 0");
  refused({8, 9}, {{"quality_max", int64_t{101}}}, "quality_max = 101");
  refused({8, 9}, {{"value_min", 1.0}}, "value_min = 1");
  refused({8, 9}, {{"value_min", 2.0}}, "value_min = 2");
  refused({8, 9}, {{"value_min", 1e6}, {"value_max", 1e6 + 1}}, "256 levels");
  refused({8, 9}, {{"value_max", std::numeric_limits<double>::infinity()}}, "finite");
  refused({8, 9}, {{"noise_sigma", -0.1}}, "noise_sigma");
  refused({8, 9}, {{"chroma_subsampling", "4:1:1"}}, "chroma_subsampling");
  refused({8, 9}, {{"dct_method", "slow"}}, "dct_method");
  EXPECT_EQ(channel.simulate(1, images(2, {3, 8, 9}), qualities({50, 60})).values, before.values);
}

TEST(Jpeg, KeepsTheShapeAndTreatsOnePlaneAsAGreyImage) {
  Channel flat(kLibrary), planar(kLibrary);
  ASSERT_EQ(flat.configure({11, 19}), UNCHANNEL_OK);
  ASSERT_EQ(planar.configure({1, 11, 19}), UNCHANNEL_OK);
  EXPECT_EQ(flat.y_shape, (std::vector<int64_t>{11, 19}));
  EXPECT_EQ(planar.y_shape, (std::vector<int64_t>{1, 11, 19}));
  EXPECT_EQ(flat.simulate(4, images(3, {11, 19}), qualities({5, 50, 95})).values,
            planar.simulate(4, images(3, {1, 11, 19}), qualities({5, 50, 95})).values);
}

/// A constant grey image at quality 100 has one coefficient a block, 8 (level - 128), and a quantisation step of 1: it comes back exactly.
TEST(Jpeg, MapsTheValueRangeToTheNearestOf256LevelsAndBack) {
  const std::pair<double, double> ranges[] = {{0, 1}, {-1, 1}, {0, 255}, {-5, 20}, {100, 101}};
  for (const auto& [low, high] : ranges) {
    Channel channel(kLibrary);
    ASSERT_EQ(channel.configure({1, 1}, {{"value_min", low}, {"value_max", high}, {"noise_sigma", 0.0}}), UNCHANNEL_OK) << channel.error;
    const double step = (high - low) / 255;
    for (const double offset : {-0.49, 0.0, 0.49}) {
      Array<float> x({256, 1, 1});
      for (int level = 0; level < 256; ++level) {
        x.values[static_cast<size_t>(level)] = static_cast<float>(low + (level + offset) * step);
      }
      const auto y = channel.simulate(1, x, qualities(std::vector<int32_t>(256, 100)));
      for (int level = 0; level < 256; ++level) {
        // level * step correctly rounded to float32, then one float32 addition: the same two roundings as in the channel
        const float expected = static_cast<float>(low) + static_cast<float>(level * (high - low) / 255);
        ASSERT_EQ(y.values[static_cast<size_t>(level)], expected) << low << " … " << high << " level " << level << " offset " << offset;
      }
    }
    Array<float> outside({4, 1, 1});
    outside.values = {static_cast<float>(low - 1e9), static_cast<float>(low - step), static_cast<float>(high + step), 1e38F};
    const auto y = channel.simulate(1, outside, qualities({100, 100, 100, 100}));
    const auto bottom = static_cast<float>(low), top = bottom + static_cast<float>(high - low);
    EXPECT_EQ(y.values, (std::vector<float>{bottom, bottom, top, top}));
  }
}

TEST(Jpeg, MeanIsTheImageWithoutNoise) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({3, 21, 13}, {{"noise_sigma", 0.2}}), UNCHANNEL_OK);
  const auto x = images(4, {3, 21, 13});
  const auto latents = qualities({1, 30, 75, 100});
  const auto mean = channel.mean(x, latents);
  EXPECT_NE(channel.simulate(1, x, latents).values, mean.values);
  ASSERT_EQ(channel.configure({3, 21, 13}, {{"noise_sigma", 0.0}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.simulate(1, x, latents).values, mean.values);
}

/// One channel compresses all images with its codecs, the other one starts from nothing for every image.
TEST(Jpeg, GivesTheSameBitsForAnySplitOrderThreadCountAndHistory) {
  const std::vector<int64_t> shapes[] = {{3, 17, 30}, {9, 23}, {3, 8, 64}};
  for (const auto& shape : shapes) {
    Channel channel(kLibrary);
    ASSERT_EQ(channel.configure(shape), UNCHANNEL_OK);
    const auto x = images(70, shape);
    const auto latents = channel.draw(5, 70, 1000);
    const auto whole = channel.simulate(6, x, latents, 1000);
    EXPECT_EQ(channel.sample_status, std::vector<int32_t>(70, UNCHANNEL_SAMPLE_OK));
    channel.services[UNCHANNEL_SERVICE_THREAD_POOL_1] = &ReversePool::kTable;
    for (int repeat = 0; repeat < 20; ++repeat) {
      ASSERT_EQ(channel.simulate(6, x, latents, 1000).values, whole.values);
    }
    for (int64_t i = 0; i < 70; ++i) {
      Channel fresh(kLibrary);
      ASSERT_EQ(fresh.configure(shape), UNCHANNEL_OK);
      auto one_shape = shape;
      one_shape.insert(one_shape.begin(), 1);
      Array<float> one(one_shape);
      std::copy_n(x.row(i), x.width(), one.row(0));
      const auto id = 1000 + static_cast<uint64_t>(i);
      const auto y = fresh.simulate(6, one, fresh.draw(5, 1, id), id);
      ASSERT_EQ(std::memcmp(y.row(0), whole.row(i), static_cast<size_t>(x.width()) * sizeof(float)), 0) << i;
    }
  }
}

TEST(Jpeg, QualityIsUniformOnTheIntegersOfItsRangeWithBothEnds) {
  Channel channel(kLibrary);
  for (const auto& [lowest, highest] : {std::pair<int64_t, int64_t>{10, 50}, {10, 100}, {1, 2}}) {
    ASSERT_EQ(channel.configure({8, 8}, {{"quality_min", lowest}, {"quality_max", highest}}), UNCHANNEL_OK);
    const auto choices = static_cast<size_t>(highest - lowest + 1);
    const auto drawn = std::get<Array<int32_t>>(channel.draw(77, 100000).at("quality")).values;
    std::vector<double> seen(choices, 0);
    for (const int32_t quality : drawn) {
      ASSERT_TRUE(quality >= lowest && quality <= highest) << quality;
      seen[static_cast<size_t>(quality - lowest)] += 1;
    }
    const double expected = 100000.0 / static_cast<double>(choices);
    double chi_square = 0;
    for (const double count : seen) {
      chi_square += (count - expected) * (count - expected) / expected;
    }
    // chi-square with k = choices - 1 degrees: Wilson-Hilferty, (chi^2 / k)^(1/3) ~ N(1 - 2/9k, 2/9k); 3.1 sd is 0.1 % on each side
    const double degrees = static_cast<double>(choices) - 1, variance = 2 / (9 * degrees);
    const double z = (std::cbrt(chi_square / degrees) - (1 - variance)) / std::sqrt(variance);
    EXPECT_LT(z, 3.1) << lowest << " … " << highest;
    EXPECT_GT(z, -3.1) << lowest << " … " << highest;
  }
  ASSERT_EQ(channel.configure({8, 8}, {{"quality_min", int64_t{37}}, {"quality_max", int64_t{37}}}), UNCHANNEL_OK);
  EXPECT_EQ(std::get<Array<int32_t>>(channel.draw(77, 100).at("quality")).values, std::vector<int32_t>(100, 37));
}

TEST(Jpeg, NoiseIsWhiteNormalWithTheGivenSigmaAndOnlyAddsToTheImage) {
  constexpr double kSigma = 0.05;
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({3, 32, 32}, {{"noise_sigma", kSigma}}), UNCHANNEL_OK);
  const int64_t count = 60;
  const auto x = images(count, {3, 32, 32});
  const auto latents = channel.draw(1, count);
  const auto y = channel.simulate(9, x, latents), mean = channel.mean(x, latents);
  const auto n = static_cast<double>(y.values.size());
  std::vector<double> z(y.values.size());
  double sum = 0, squares = 0, lag = 0, other_sample = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    z[i] = (static_cast<double>(y.values[i]) - static_cast<double>(mean.values[i])) / kSigma;
    sum += z[i], squares += z[i] * z[i];
    lag += i >= 1 ? z[i] * z[i - 1] : 0;
    other_sample += i >= 3072 ? z[i] * z[i - 3072] : 0;
  }
  // each is standard normal to first order under n independent N(0, 1); 4 sd
  EXPECT_LT(std::abs(sum) / std::sqrt(n), 4);
  EXPECT_LT(std::abs(squares - n) / std::sqrt(2 * n), 4);
  EXPECT_LT(std::abs(lag) / std::sqrt(n), 4);
  EXPECT_LT(std::abs(other_sample) / std::sqrt(n), 4);
  std::ranges::sort(z);
  double worst = 0;
  for (size_t i = 0; i < z.size(); ++i) {
    worst = std::max(worst, std::abs(0.5 * std::erfc(-z[i] / std::sqrt(2.0)) - (static_cast<double>(i) + 0.5) / n));
  }
  EXPECT_LT(worst * std::sqrt(n), 1.95);  // Kolmogorov, 0.1 %
}

TEST(Jpeg, BadSamplesCostOnlyThemselves) {
  const float kNan = std::numeric_limits<float>::quiet_NaN(), kInfinity = std::numeric_limits<float>::infinity();
  for (const auto& shape : {std::vector<int64_t>{3, 16, 16}, {16, 16}}) {
    Channel channel(kLibrary);
    ASSERT_EQ(channel.configure(shape), UNCHANNEL_OK);
    auto x = images(8, shape);
    const auto good = channel.simulate(1, x, qualities({50, 50, 50, 50, 50, 50, 50, 50}));
    x.row(1)[x.width() - 1] = kNan, x.row(2)[0] = kInfinity, x.row(3)[5] = -kInfinity;
    const auto y = channel.simulate(1, x, qualities({50, 50, 50, 50, 0, 101, std::numeric_limits<int32_t>::min(), 50}));
    EXPECT_EQ(channel.status, UNCHANNEL_OK);
    EXPECT_EQ(channel.sample_status,
              (std::vector<int32_t>{0, UNCHANNEL_SAMPLE_NOT_FINITE, UNCHANNEL_SAMPLE_NOT_FINITE, UNCHANNEL_SAMPLE_NOT_FINITE,
                                    UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, 0}));
    for (int64_t i = 0; i < 8; ++i) {
      for (int64_t d = 0; d < x.width(); ++d) {
        ASSERT_EQ(y.row(i)[d], i % 7 == 0 ? good.row(i)[d] : 0.0F) << i;
      }
    }
  }
}

TEST(Jpeg, DocumentedDefaultsAreThePluginsOwn) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({64, 64}), UNCHANNEL_OK);
  EXPECT_EQ(unchannel::test::documented_parameters(UNCHANNEL_SOURCE_DIR "/plugins/jpeg/jpeg.toml"), channel.canonical);
}

}  // namespace
