#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <cstdlib>
#include <unchannel/base/error.hpp>
#include <unchannel/tensor/compose.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "built_in_cases.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel::test {
namespace {

using test_support::message_of;

const PluginRegistry& registry() {
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  static const PluginRegistry plugins({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 2});
  return plugins;
}

ChannelSettings read(const std::string& toml) {
  ChannelSettings settings;
  Config::parse(toml, "test.toml").fill([&](SettingsVisitor& visitor) {
    visitor.section({"channel", ""}, [&](SettingsVisitor& inner) { settings.visit(inner); });
  });
  return settings;
}

std::unique_ptr<Channel> composed(const std::vector<ChannelStageSettings>& stages, const std::vector<std::int64_t>& shape) {
  ChannelSettings settings;
  settings.id = "compose";
  settings.isolation = "inproc";
  settings.max_failed_share = 0.5;
  settings.stages = stages;
  return make_channel(registry(), settings, shape);
}

RandomKey stage_key(RandomKey key, std::uint64_t stage) {
  return RandomKey(unchannel_derive(key.value(), unchannel_tag(UNCHANNEL_TAG_COMPOSE_STAGE, stage)));
}

const std::vector<std::int64_t> kImage = {3, 8, 8};
const nlohmann::json kNone = nlohmann::json::object();

std::vector<ChannelStageSettings> blur_then_mask(double blur_noise, double mask_noise) {
  return {{"gaussian_blur", {{"blur_sigma", 1.0}, {"noise_sigma", blur_noise}}, kNone},
          {"random_mask", {{"noise_sigma", mask_noise}}, kNone}};
}

TEST(Compose, IsItsStagesOneAfterTheOtherUnderKeysOfTheirOwn) {
  const auto channel = composed(blur_then_mask(0.1, 0.2), kImage);
  const auto blur = built_in("gaussian_blur", kImage, {{"noise_sigma", 0.1}}),
             mask = built_in("random_mask", kImage, {{"noise_sigma", 0.2}});
  const at::Tensor x = signal_rows(5, kImage), ids = id_range(40, 5);
  Latents latents, mask_latents;
  const at::Tensor y = measure(*channel, x, {}, RandomKey(9), ids, &latents);
  const at::Tensor between = measure(*blur, x, {}, stage_key(RandomKey(9), 0), ids);
  EXPECT_TRUE(at::equal(y, measure(*mask, between, {}, stage_key(RandomKey(9), 1), ids, &mask_latents)));
  ASSERT_EQ(latents.size(), 1u);
  EXPECT_TRUE(at::equal(latents.at("stage1_mask"), mask_latents.at("mask")));
  ASSERT_EQ(channel->latents().size(), 1u);
  EXPECT_EQ(channel->latents()[0].name, "stage1_mask");
  EXPECT_TRUE(channel->latents()[0].visible);
}

TEST(Compose, GivesEqualStagesDifferentNoise) {
  const auto channel = composed({{"awgn", {{"sigma", 1.0}}, kNone}, {"awgn", {{"sigma", 1.0}}, kNone}}, {16});
  const at::Tensor x = signal_rows(2000, {16}).mul(0);
  const at::Tensor y = measure(*channel, x, {}, RandomKey(1), id_range(0, 2000));
  // Equal noise would add to a variance of 4; 32,000 numbers: five standard errors of 2 √(2 / 32000).
  EXPECT_NEAR(y.var().item<double>(), 2.0, 5 * 2 * std::sqrt(2.0 / 32000));
}

TEST(Compose, IsTheSameForAnySplit) {
  const auto channel = composed({{"motion_blur", {{"length", 5}}, kNone}, {"poisson", {{"lambda", 0.1}}, kNone}}, kImage);
  EXPECT_EQ(channel->determinism(), Determinism::kPerSample);
  const at::Tensor x = signal_rows(6, kImage), ids = id_range(7, 6);
  const at::Tensor whole = measure(*channel, x, {}, RandomKey(2), ids);
  const at::Tensor parts = at::cat({measure(*channel, x.slice(0, 0, 1), {}, RandomKey(2), ids.slice(0, 0, 1)),
                                    measure(*channel, x.slice(0, 1, 6), {}, RandomKey(2), ids.slice(0, 1, 6))});
  EXPECT_TRUE(at::equal(whole, parts));
}

TEST(Compose, LiftsThroughAllStages) {
  const auto channel =
      composed({{"downsample", {{"factor", 2}}, kNone}, {"downsample", {{"factor", 2}, {"lift", "nearest"}}, kNone}}, kImage);
  EXPECT_EQ(channel->signal_shape(), kImage);
  EXPECT_EQ(channel->observation_shape(), (std::vector<std::int64_t>{3, 2, 2}));
  const auto first = built_in("downsample", kImage, {{"factor", 2}});
  const auto second = built_in("downsample", {3, 4, 4}, {{"factor", 2}, {"lift", "nearest"}});
  const at::Tensor y = signal_rows(3, {3, 2, 2});
  EXPECT_TRUE(at::equal(channel->lift(y, {}), first->lift(second->lift(y, {}), {})));
}

TEST(Compose, ChainsDerivativesThroughNoiseFreeStages) {
  const auto channel = composed(blur_then_mask(0.0, 0.2), kImage);
  ASSERT_TRUE(channel->has_mean() && channel->has_vjp() && channel->has_loglik());
  EXPECT_FALSE(channel->noise_free());
  const at::Tensor x = signal_rows(3, kImage), ids = id_range(0, 3);
  Latents latents;
  const at::Tensor y = measure(*channel, x, {}, RandomKey(3), ids, &latents);
  const at::Tensor v = y.cos();
  const double left = channel->mean(x, latents).mul(v).to(at::kDouble).sum().item<double>();
  const double right = channel->vjp(x, latents, v).mul(x).to(at::kDouble).sum().item<double>();
  EXPECT_NEAR(left, right, 1e-4);  // 576 products of order one with a few roundings of 6e-8
  EXPECT_GT(std::abs(left), 0.1);
  at::Tensor gradient;
  channel->loglik(x, latents, y, &gradient);
  const at::Tensor direction = x.mul(5).cos();
  const at::Tensor up = channel->loglik(x.add(direction, 1e-3), latents, y, nullptr);
  const at::Tensor down = channel->loglik(x.sub(direction, 1e-3), latents, y, nullptr);
  const at::Tensor slope = gradient.mul(direction).to(at::kDouble).sum(1);
  EXPECT_LT(up.sub(down).div(2e-3).sub(slope).abs().div(slope.abs().add(10)).max().item<double>(), 0.02);
}

TEST(Compose, HasNoDerivativesBehindNoise) {
  const auto channel = composed(blur_then_mask(0.1, 0.2), kImage);
  EXPECT_FALSE(channel->has_mean() || channel->has_vjp() || channel->has_loglik());
  EXPECT_THROW(channel->mean(signal_rows(1, kImage), {}), ConfigError);
  EXPECT_THROW(channel->vjp(signal_rows(1, kImage), {}, signal_rows(1, kImage)), ConfigError);
  EXPECT_TRUE(composed({{"gaussian_blur", {{"noise_sigma", 0.0}}, kNone}, {"quantise", kNone, kNone}}, kImage)->noise_free());
}

// The plugin's latent "echo" is the signal itself: here the blurred one.
TEST(Compose, ShowsAPluginTheSignalThatItMeasures) {
  const auto channel = composed({{"awgn", {{"sigma", 0.5}}, kNone}, {"org.example.gain", kNone, kNone}}, {6});
  const at::Tensor x = signal_rows(4, {6}), ids = id_range(11, 4);
  Latents latents;
  const at::Tensor y = measure(*channel, x, {}, RandomKey(4), ids, &latents);
  const auto awgn = built_in("awgn", {6}, {{"sigma", 0.5}});
  const at::Tensor between = awgn->simulate(x, {}, stage_key(RandomKey(4), 0), ids);
  EXPECT_TRUE(at::equal(latents.at("stage1_echo"), between));
  const auto gain = make_plugin_channel(registry(), "org.example.gain", {6}, kNone);
  EXPECT_TRUE(at::equal(y, measure(*gain, between, {}, stage_key(RandomKey(4), 1), ids)));
  EXPECT_NE(message_of<ConfigError>([] {
              composed({{"random_mask", kNone, {{"mask", {{"source", "own"}}}}}, {"org.example.gain", kNone, kNone}}, {6});
            }).find("draws a latent that depends on its signal, but an earlier stage takes latents from the data"),
            std::string::npos);
}

TEST(Compose, NamesTheStageOfFailedSamples) {
  const auto channel = composed({{"awgn", kNone, kNone}, {"org.example.gain", {{"fault", "nan"}}, kNone}}, {6});
  measure(*channel, signal_rows(10, {6}), {}, RandomKey(1), id_range(100, 10));
  const auto failed = channel->take_failed_samples();
  ASSERT_EQ(failed.size(), 2u);
  EXPECT_EQ(failed[0].id, 103);
  EXPECT_EQ(failed[0].function, "stage 1 (org.example.gain) simulate");
}

constexpr const char* kToml = R"(
[channel]
id = "compose"
[[channel.stages]]
id = "gaussian_blur"
[channel.stages.parameters]
blur_sigma = 0.8
noise_sigma = 0.0
[[channel.stages]]
id = "random_mask"
parameters = { hidden_share = 0.25 }
[channel.stages.latents.mask]
visible = false
source = "data"
)";

TEST(ComposeSettings, AreReadFromTomlAndSurviveBeingWritten) {
  ChannelSettings settings = read(kToml);
  const auto channel = make_channel(registry(), settings, kImage);
  const nlohmann::json record = channel->configuration();
  EXPECT_EQ(record["stages"][0]["parameters"]["blur_sigma"], 0.8);
  EXPECT_EQ(record["stages"][1]["parameters"]["hidden_share"], 0.25);
  EXPECT_EQ(channel->latents()[0].source, LatentSource::kData);
  EXPECT_FALSE(channel->latents()[0].visible);
  const std::string text = settings_to_toml([&](SettingsVisitor& visitor) {
    visitor.section({"channel", ""}, [&](SettingsVisitor& inner) { settings.visit(inner); });
  });
  EXPECT_EQ(make_channel(registry(), read(text), kImage)->configuration(), record) << text;
}

TEST(ComposeSettings, NameWhatIsWrong) {
  const auto refusal = [](const std::string& toml) {
    return message_of<ConfigError>([&] { make_channel(registry(), read("[channel]\nid = \"compose\"\n" + toml), kImage); });
  };
  const auto expect = [&](const std::string& toml, const std::string& part) {
    EXPECT_NE(refusal(toml).find(part), std::string::npos) << refusal(toml);
  };
  expect("", "channel compose: has no stages; write at least one [[channel.stages]].");
  expect("[[channel.stages]]\nid = \"awgn\"\nparamters = {}\n",
         "test.toml:5: channel.stages[0].paramters is not a known key. Did you mean");
  expect("[[channel.stages]]\nid = \"awgm\"\n", "channel.stages[0]: ");
  expect("[[channel.stages]]\nid = \"awgm\"\n", "Did you mean 'awgn'?");
  expect("[[channel.stages]]\nid = \"awgn\"\n[[channel.stages]]\nid = \"awgn\"\n[channel.stages.parameters]\nsgima = 1\n",
         "channel.stages[1]: channel awgn: has no parameter 'sgima'. Did you mean 'sigma'?");
  expect("[[channel.stages]]\nparameters = {}\n", "channel.stages[0].id is missing");
  expect("[[channel.stages]]\nid = \"compose\"\n", "a stage cannot be 'compose'");
  expect("stages = 3\n", "channel.stages must be a list of tables, each written [[channel.stages]]");
  expect("[channel.parameters]\nsigma = 1\n[[channel.stages]]\nid = \"awgn\"\n", "has no parameters and latents of its own");
  EXPECT_NE(message_of<ConfigError>([] {
              make_channel(registry(), read("[channel]\nid = \"awgn\"\n[[channel.stages]]\nid = \"awgn\"\n"), kImage);
            }).find("channel awgn has no stages"),
            std::string::npos);
}

TEST(BuiltInList, NamesEveryBuiltInChannel) {
  const std::vector<std::string> expected = {"awgn",        "random_mask", "block_mask",       "gaussian_blur",
                                             "motion_blur", "poisson",     "poisson_additive", "downsample",
                                             "quantise",    "noise",       "compose"};
  EXPECT_EQ(built_in_ids(), expected);
  for (const ChannelDescription& channel : built_in_channels()) {
    EXPECT_FALSE(channel.description.empty()) << channel.id;
    for (const ParameterDescription& parameter : channel.parameters) {
      EXPECT_FALSE(parameter.doc.empty()) << channel.id << " " << parameter.id;
      EXPECT_TRUE(!parameter.unit.empty() || parameter.type == UNCHANNEL_TYPE_ENUM) << channel.id << " " << parameter.id;
    }
  }
}

}  // namespace
}  // namespace unchannel::test
