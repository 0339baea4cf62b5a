#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <unchannel/plugin_host/plugin_channel.hpp>

namespace unchannel {
namespace {

TEST(CallOverhead, IsReported) {
  // A report, no threshold: machines and their load differ. The channel copies one number, so what is measured is the interface.
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  const PluginRegistry registry({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 1});
  auto channel = PluginChannel::create(registry, "org.example.awgn");
  channel->configure({1}, {{"sigma", 0.0}});
  const std::vector<std::uint64_t> ids = {0};
  const float x = 1;
  float y = 0;
  constexpr int kCalls = 20000;
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < kCalls; ++i) channel->simulate(1, ids, &x, {}, &y);
  const double microseconds = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / kCalls;
  EXPECT_EQ(y, x);
  std::printf("one call of simulate through the plugin interface: %.2f us\n", microseconds);
  RecordProperty("microseconds_per_call", std::to_string(microseconds));
}

}  // namespace
}  // namespace unchannel
