// A plugin binary built against ABI 1.0 works with today's header as host.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cstdlib>
#include <nlohmann/json.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/registry.hpp>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;

TEST(FrozenPlugin, OfAbi10StillComputesTheSameObservations) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the frozen binary is for x86-64";
#endif
  Channel channel(UNCHANNEL_SOURCE_DIR "/tests/abi/frozen/x86_64/awgn_1_0.so");
  EXPECT_EQ(channel.module->abi_major, 1U);
  EXPECT_EQ(channel.module->abi_minor, 0U);
  EXPECT_STREQ(channel.descriptor->id, "org.example.awgn");
  EXPECT_EQ(channel.descriptor->determinism, UNCHANNEL_DETERMINISM_PER_SAMPLE);
  ASSERT_EQ(channel.core->parameter_count(channel.instance), 1U);
  EXPECT_STREQ(channel.core->parameter(channel.instance, 0)->unit, "data units");
  ASSERT_EQ(channel.configure({7}, {{"sigma", 0.5}}), UNCHANNEL_OK) << channel.error;
  const Array<float> x({3, 7}, 2.0F);
  const auto y = channel.simulate(9, x, {}, 40);
  const uint64_t key = unchannel_derive(9, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (uint32_t i = 0; i < 21; ++i) {
    EXPECT_EQ(y.values[i], 2 + 0.5F * unchannel_normal(key, 40 + i / 7, i % 7, 0));
  }
  EXPECT_EQ(channel.mean(x, {}).values, x.values);
  EXPECT_EQ(channel.configure({7}, {{"sigma", -0.5}}), UNCHANNEL_BAD_ARGUMENT);
}

/// The host that users have, in its own process and in a worker.
TEST(FrozenPlugin, OfAbi10RunsInTodaysHost) {
#if !defined(__x86_64__)
  GTEST_SKIP() << "the frozen binary is for x86-64";
#endif
  using namespace unchannel;
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  const PluginRegistry plugins({.plugin_dirs = {UNCHANNEL_SOURCE_DIR "/tests/abi/frozen/x86_64"}, .default_folders = false, .threads = 1});
  ASSERT_EQ(plugins.libraries().size(), 1U);
  EXPECT_EQ(plugins.libraries()[0].probe.abi, "1.0");
  const std::vector<float> x(6, 2.0F);
  const std::vector<uint64_t> ids = {40, 41};
  const uint64_t of_simulate = unchannel_derive(9, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_SIMULATE));
  const uint64_t key = unchannel_derive(of_simulate, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (const Isolation mode : {Isolation::kInproc, Isolation::kProcess}) {
    const auto channel = open_plugin(plugins, "org.example.awgn", {.mode = mode});
    channel->configure({3}, {{"sigma", 0.5}});
    std::vector<float> y(6);
    EXPECT_TRUE(channel->simulate(9, ids, x.data(), {}, y.data()).empty());
    for (uint32_t i = 0; i < 6; ++i) EXPECT_EQ(y[i], 2 + 0.5F * unchannel_normal(key, 40 + i / 3, i % 3, 0));
  }
}

}  // namespace
