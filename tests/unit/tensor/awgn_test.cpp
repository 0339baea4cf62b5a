#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <numbers>
#include <unchannel/base/error.hpp>
#include <unchannel/tensor/channel_factory.hpp>

// Shape legend: B batch · D signal dimension
namespace unchannel {
namespace {

std::unique_ptr<Channel> awgn(double sigma, std::int64_t d) {
  ChannelSettings settings;
  settings.id = "awgn";
  settings.parameters = {{"sigma", sigma}};
  return make_channel(PluginRegistry(), settings, {d});
}

at::Tensor signals(std::int64_t b, std::int64_t d) { return at::linspace(-1, 1, b * d, at::kFloat).reshape({b, d}); }

TEST(Awgn, GivesTheBitsOfThePluginTemplate) {
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  const PluginRegistry registry({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 1});
  const auto plugin = make_plugin_channel(registry, "org.example.awgn", {37}, {{"sigma", 0.7}});
  const auto built_in = awgn(0.7, 37);
  const at::Tensor ids_B = at::arange(1000, 1009, at::kLong);
  const at::Tensor x_BD = signals(9, 37);
  EXPECT_TRUE(at::equal(built_in->simulate(x_BD, {}, RandomKey(5), ids_B), plugin->simulate(x_BD, {}, RandomKey(5), ids_B)));
}

TEST(Awgn, IsTheSameForAnySplit) {
  const auto channel = awgn(1.0, 11);
  const at::Tensor x_BD = signals(8, 11), ids_B = at::arange(8, at::kLong);
  const at::Tensor whole = channel->simulate(x_BD, {}, RandomKey(1), ids_B);
  const at::Tensor parts = at::cat({channel->simulate(x_BD.slice(0, 0, 3), {}, RandomKey(1), ids_B.slice(0, 0, 3)),
                                    channel->simulate(x_BD.slice(0, 3, 8), {}, RandomKey(1), ids_B.slice(0, 3, 8))});
  EXPECT_TRUE(at::equal(whole, parts));
}

TEST(Awgn, HasTheNoiseItIsAskedFor) {
  const auto channel = awgn(0.3, 16);
  const at::Tensor x_BD = signals(5000, 16);
  const at::Tensor noise = channel->simulate(x_BD, {}, RandomKey(2), at::arange(5000, at::kLong)).sub(x_BD);
  // 80,000 numbers: standard errors 0.3 / 283 = 1.1e-3 of the mean and 0.3 / 400 = 7.5e-4 of the deviation; five of each.
  EXPECT_NEAR(noise.mean().item<double>(), 0.0, 5.5e-3);
  EXPECT_NEAR(noise.std().item<double>(), 0.3, 3.8e-3);
}

TEST(Awgn, LoglikIsTheNormalDensityAndItsScore) {
  const double sigma = 0.5;
  const auto channel = awgn(sigma, 2);
  const at::Tensor x = at::full({1, 2}, 0.25F), y = at::full({1, 2}, 1.0F);
  at::Tensor gradient;
  const double loglik = channel->loglik(x, {}, y, &gradient).item<double>();
  const double expected = 2 * (-0.5 * std::log(2 * std::numbers::pi * sigma * sigma) - 0.5 * 0.75 * 0.75 / (sigma * sigma));
  EXPECT_NEAR(loglik, expected, 1e-12);
  EXPECT_NEAR(gradient[0][1].item<double>(), 0.75 / (sigma * sigma), 1e-6);
}

TEST(Awgn, HasNoDensityWithoutNoise) { EXPECT_FALSE(awgn(0.0, 2)->has_loglik()); }

TEST(Awgn, RefusesBadParameters) {
  EXPECT_THROW(awgn(-1.0, 2), ConfigError);
  ChannelSettings settings;
  settings.id = "awgn";
  settings.parameters = {{"sgima", 1.0}};
  EXPECT_THROW(make_channel(PluginRegistry(), settings, {2}), ConfigError);
}

TEST(Awgn, RefusesWrongShapesAndTypes) {
  const auto channel = awgn(1.0, 4);
  const at::Tensor ids_B = at::arange(2, at::kLong);
  EXPECT_THROW(channel->simulate(signals(2, 5), {}, RandomKey(1), ids_B), ShapeError);
  EXPECT_THROW(channel->simulate(signals(3, 4), {}, RandomKey(1), ids_B), ShapeError);
  EXPECT_THROW(channel->simulate(signals(2, 4).to(at::kDouble), {}, RandomKey(1), ids_B), ShapeError);
}

}  // namespace
}  // namespace unchannel
