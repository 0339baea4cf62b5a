// The example on the bare ABI, and random.h used from C: exact values by the formula y = x + sigma n.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/test-plugins/awgn_raw_abi.so";

TEST(RawAbiExample, AddsExactlyTheNoiseOfTheDerivedKey) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({5, 3}, {{"sigma", 0.25}}), UNCHANNEL_OK) << channel.error;
  EXPECT_EQ(channel.y_shape, (std::vector<int64_t>{5, 3}));
  const Array<float> x({2, 5, 3}, 1.0F);
  const auto y = channel.simulate(31, x, {}, 100);
  const uint64_t key = unchannel_derive(31, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (uint32_t i = 0; i < 30; ++i) {
    EXPECT_EQ(y.values[i], 1 + 0.25F * unchannel_normal(key, 100 + i / 15, i % 15, 0));
  }
  EXPECT_EQ(channel.mean(x, {}).values, x.values);
}

TEST(RawAbiExample, RefusesABadSigmaAndKeepsTheFormerOne) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}, {{"sigma", 0.0}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.configure({2}, {{"sigma", -1.0}}), UNCHANNEL_BAD_ARGUMENT);
  EXPECT_EQ(channel.error, "sigma must be finite and at least 0");
  const Array<float> x({1, 2}, 3.0F);
  EXPECT_EQ(channel.simulate(1, x, {}).values, x.values);
}

TEST(RawAbiExample, ReturnsAConfigurationThatTomlCanRead) {
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({2}, {{"sigma", 0.1}}), UNCHANNEL_OK);
  EXPECT_EQ(channel.canonical, "sigma = 1.0000000000000001e-01\n");
}

}  // namespace
