#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <unchannel/base/error.hpp>
#include <unchannel/tensor/channel_factory.hpp>

// Shape legend: B batch · D signal dimension · M observation dimension
namespace unchannel {
namespace {

constexpr std::int64_t kD = 6;

const PluginRegistry& registry() {
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  static const PluginRegistry plugins({.plugin_dirs = {GOOD_DIR, PLUGIN_DIR}, .default_folders = false, .threads = 2});
  return plugins;
}

std::unique_ptr<Channel> gain(const nlohmann::json& parameters = nlohmann::json::object(),
                              const nlohmann::json& latents = nlohmann::json::object(), double max_failed_share = 0.5) {
  return make_plugin_channel(registry(), "org.example.gain", {kD}, parameters, latents, max_failed_share);
}

at::Tensor signals(std::int64_t b, std::int64_t d = kD) { return at::linspace(-1, 1, b * d, at::kFloat).reshape({b, d}); }

TEST(PluginTensorChannel, MeasuresTheSameForAnySplit) {
  const auto channel = gain();
  const at::Tensor x_BD = signals(10), ids_B = at::arange(50, 60, at::kLong);
  Latents whole_latents, part_latents;
  const at::Tensor whole = measure(*channel, x_BD, {}, RandomKey(3), ids_B, &whole_latents);
  std::vector<at::Tensor> parts, levels;
  for (std::int64_t i = 0; i < 10; i += 5) {
    parts.push_back(measure(*channel, x_BD.slice(0, i, i + 5), {}, RandomKey(3), ids_B.slice(0, i, i + 5), &part_latents));
    levels.push_back(part_latents.at("level"));
  }
  EXPECT_TRUE(at::equal(at::cat(parts), whole));
  EXPECT_TRUE(at::equal(at::cat(levels), whole_latents.at("level")));
  EXPECT_EQ(whole_latents.at("number").scalar_type(), at::kInt);
  EXPECT_EQ(whole_latents.at("number").sizes(), (at::IntArrayRef{10, 2}));
  EXPECT_EQ(whole_latents.at("level").sizes(), (at::IntArrayRef{10}));
  EXPECT_TRUE(at::equal(whole_latents.at("echo"), x_BD));
}

TEST(PluginTensorChannel, LeavesLatentsWithAnotherSourceToTheCaller) {
  const auto channel = gain({}, {{"level", {{"source", "own"}}}});
  const at::Tensor ids_B = at::arange(3, at::kLong);
  EXPECT_FALSE(channel->draw_latents(RandomKey(1), ids_B, signals(3)).contains("level"));
  const at::Tensor zero = at::zeros({3}, at::kFloat), one = at::full({3}, 1.0F);
  const at::Tensor with_one = measure(*channel, signals(3), {{"level", one}}, RandomKey(1), ids_B);
  const at::Tensor with_zero = measure(*channel, signals(3), {{"level", zero}}, RandomKey(1), ids_B);
  EXPECT_LT(with_one.sub(with_zero).sub(1).abs().max().item<float>(), 1e-6);
  EXPECT_THROW(measure(*channel, signals(3), {}, RandomKey(1), ids_B), ShapeError);
  EXPECT_THROW(measure(*channel, signals(3), {{"level", one.to(at::kInt)}}, RandomKey(1), ids_B), ShapeError);
}

TEST(PluginTensorChannel, TakesTensorsThatAreNotContiguous) {
  const auto channel = gain();
  const at::Tensor wide = signals(4, 2 * kD), ids_B = at::arange(4, at::kLong);
  const at::Tensor strided = wide.slice(1, 0, kD);
  ASSERT_FALSE(strided.is_contiguous());
  EXPECT_TRUE(
      at::equal(measure(*channel, strided, {}, RandomKey(1), ids_B), measure(*channel, strided.contiguous(), {}, RandomKey(1), ids_B)));
}

TEST(PluginTensorChannel, ZeroesAndListsFailedSamples) {
  const auto channel = gain({{"fault", "nan"}});
  const at::Tensor ids_B = at::arange(100, 110, at::kLong);
  const at::Tensor y_BM = measure(*channel, signals(10), {}, RandomKey(1), ids_B);
  EXPECT_EQ(y_BM[3].abs().sum().item<float>(), 0.0F);  // id 103
  EXPECT_NE(y_BM[4].abs().sum().item<float>(), 0.0F);
  const auto failed = channel->take_failed_samples();
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].id, 103);
  EXPECT_EQ(failed[0].row, 3);
  EXPECT_EQ(failed[1].id, 108);
  EXPECT_EQ(failed[0].function, "simulate");
  EXPECT_EQ(failed[0].reason, "non-finite input or result");
  EXPECT_TRUE(channel->take_failed_samples().empty());
}

TEST(PluginTensorChannel, StopsTheRunWhenTooManySamplesFail) {
  // One in five fails; 0.01 of the first thousand allows ten.
  const auto channel = gain({{"fault", "nan"}}, nlohmann::json::object(), 0.01);
  const auto run = [&](std::int64_t first) { measure(*channel, signals(25), {}, RandomKey(1), at::arange(first, first + 25, at::kLong)); };
  run(0);
  run(25);
  EXPECT_THROW(run(50), PluginError);
}

TEST(PluginTensorChannel, LiftsWithWhatTheModelSees) {
  const auto channel = gain({{"half", true}});
  EXPECT_EQ(channel->observation_shape(), (std::vector<std::int64_t>{3}));
  const at::Tensor lifted = channel->lift(at::full({2, 3}, 4.0F), {});
  EXPECT_TRUE(at::equal(lifted, at::full({2, kD}, 2.0F)));
}

TEST(PluginTensorChannel, RefusesWrongShapes) {
  const auto channel = gain();
  const at::Tensor ids_B = at::arange(2, at::kLong);
  EXPECT_THROW(measure(*channel, signals(2, kD + 1), {}, RandomKey(1), ids_B), ShapeError);
  EXPECT_THROW(measure(*channel, signals(2), {}, RandomKey(1), at::arange(3, at::kLong)), ShapeError);
  EXPECT_THROW(channel->lift(signals(2, kD - 1), {}), ShapeError);
}

TEST(PluginTensorChannel, OffersOnlyWhatThePluginHas) {
  const auto plain = make_plugin_channel(registry(), "org.example.awgn", {kD}, nlohmann::json::object());
  EXPECT_FALSE(plain->has_vjp());
  EXPECT_THROW(plain->vjp(signals(1), {}, signals(1)), ConfigError);
}

/// The spectrograph of the quasar configurations, small.
std::unique_ptr<Channel> spectrograph() {
  return make_plugin_channel(registry(), "org.unchannel.spectrograph", {64},
                             {{"resolution_delta_ln_lambda", 0.02},
                              {"resolution_relative_spread", 0.05},
                              {"offset_multiplicative_sigma", 0.1},
                              {"offset_additive_sigma", 0.1},
                              {"snr_min", 1.0},
                              {"snr_max", 2.0}});
}

TEST(SpectrographThroughTensors, VjpIsTheTransposeOfItsMean) {
  const auto channel = spectrograph();
  const at::Tensor ids_B = at::arange(4, at::kLong);
  const at::Tensor x_BD = at::randn({4, 64}), v_BM = at::randn({4, 64});
  const Latents latents = channel->draw_latents(RandomKey(9), ids_B, x_BD);
  const at::Tensor linear = channel->mean(x_BD, latents).sub(channel->mean(at::zeros({4, 64}), latents));
  const double left = linear.mul(v_BM).sum().item<double>();
  const double right = x_BD.mul(channel->vjp(x_BD, latents, v_BM)).sum().item<double>();
  // float32 sums of 256 products of order one: 256 × 6e-8 × a few.
  EXPECT_NEAR(left, right, 1e-4);
}

TEST(SpectrographThroughTensors, LoglikHasTheGradientOfItsValue) {
  const auto channel = spectrograph();
  const at::Tensor ids_B = at::arange(1, at::kLong);
  const at::Tensor x = at::randn({1, 64}).mul(0.1).add(1.0), direction = at::randn({1, 64});
  Latents latents;
  const at::Tensor y = measure(*channel, x, {}, RandomKey(4), ids_B, &latents);
  at::Tensor gradient;
  channel->loglik(x, latents, y, &gradient);
  const double step = 1e-2;
  const double up = channel->loglik(x.add(direction, step), latents, y, nullptr).item<double>();
  const double down = channel->loglik(x.sub(direction, step), latents, y, nullptr).item<double>();
  const double slope = gradient.mul(direction).sum().item<double>();
  // Central difference: error of order step²; the value is of order one hundred in double, x in float32.
  EXPECT_NEAR((up - down) / (2 * step), slope, 0.01 * (1 + std::abs(slope)));
}

}  // namespace
}  // namespace unchannel
