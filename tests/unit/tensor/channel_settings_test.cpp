#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linspace.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <unchannel/base/error.hpp>
#include <unchannel/tensor/channel_factory.hpp>
#include <unchannel/test_support/message_of.hpp>

namespace unchannel {
namespace {

using test_support::message_of;

ChannelSettings read(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  ChannelSettings settings;
  Config::parse(toml, "test.toml", overrides).fill([&](SettingsVisitor& visitor) {
    visitor.section({"channel", ""}, [&](SettingsVisitor& inner) { settings.visit(inner); });
  });
  return settings;
}

constexpr const char* kGain = R"(
[channel]
id = "org.example.gain"
[channel.parameters]
gain = 3
mode = "harsh"
[channel.latents.level]
visible = true
source = "data"
)";

const PluginRegistry& registry() {
  ::setenv("UNCHANNEL_WORKER", WORKER, 1);
  static const PluginRegistry plugins({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 2});
  return plugins;
}

std::string refusal(const std::string& toml, const std::vector<std::string>& overrides = {}) {
  try {
    make_channel(registry(), read(toml, overrides), {4});
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(ChannelSettings, ConfigureAPluginFromToml) {
  const auto channel = make_channel(registry(), read(kGain), {4});
  EXPECT_EQ(channel->id(), "org.example.gain");
  EXPECT_EQ(channel->observation_shape(), (std::vector<std::int64_t>{4}));
  ASSERT_EQ(channel->latents().size(), 4u);
  EXPECT_EQ(channel->latents()[0].name, "level");
  EXPECT_TRUE(channel->latents()[0].visible);
  EXPECT_EQ(channel->latents()[0].source, LatentSource::kData);
  EXPECT_TRUE(channel->latents()[1].visible) << "the plugin's own default";
  EXPECT_EQ(channel->latents()[1].source, LatentSource::kFresh);
  EXPECT_EQ(channel->latents()[3].source, LatentSource::kOwn) << "cannot be drawn";
  const nlohmann::json record = channel->configuration();
  EXPECT_EQ(record["parameters"]["gain"], 3.0);
  EXPECT_EQ(record["latents"]["level"]["source"], "data");
  EXPECT_EQ(record["content_sha256"].get<std::string>().size(), 64u);
}

TEST(ChannelSettings, SurviveBeingWrittenAndReadAgain) {
  ChannelSettings settings = read(kGain);
  const std::string text = settings_to_toml([&](SettingsVisitor& visitor) {
    visitor.section({"channel", ""}, [&](SettingsVisitor& inner) { settings.visit(inner); });
  });
  const ChannelSettings again = read(text);
  EXPECT_EQ(again.parameters, settings.parameters) << text;
  EXPECT_EQ(again.latents, settings.latents) << text;
  EXPECT_EQ(again.id, settings.id);
}

TEST(ChannelSettings, TakeOverrides) {
  EXPECT_EQ(make_channel(registry(), read(kGain, {"channel.parameters.gain=4.5"}), {4})->configuration()["parameters"]["gain"], 4.5);
}

TEST(ChannelSettings, ChooseTheProcessWithoutChangingTheMeasurement) {
  const at::Tensor x_BD = at::linspace(-1, 1, 40, at::kFloat).reshape({10, 4}), ids_B = at::arange(10, at::kLong);
  const auto measured = [&](const std::string& isolation) {
    const auto channel =
        make_channel(registry(), read("[channel]\nid = \"org.example.gain\"\n", {"channel.isolation=\"" + isolation + "\""}), {4});
    return measure(*channel, x_BD, {}, RandomKey(5), ids_B);
  };
  EXPECT_TRUE(at::equal(measured("process"), measured("inproc")));
  EXPECT_TRUE(at::equal(measured("auto"), measured("inproc")));
}

TEST(ChannelSettings, NameWhatIsWrongWithLatents) {
  EXPECT_NE(refusal(kGain, {"channel.latents.levle.visible=true"})
                .find("channel.latents.levle: channel org.example.gain has no such latent. Did you mean 'level'?"),
            std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.latents.level.visable=true"})
                .find("channel.latents.level.visable is not a known key. Did you mean 'visible'?"),
            std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.latents.level.source=\"frehs\""}).find("it is \"frehs\". Did you mean 'fresh'?"), std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.latents.level.visible=1"}).find("must be true or false; it is 1"), std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.latents.stamp.source=\"fresh\""}).find("'stamp' cannot be drawn"), std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.latents.stamp.visible=true", "channel.parameters.mode=\"gentle\""})
                .find("with these parameters channel org.example.gain has no latent 'stamp'"),
            std::string::npos);
}

TEST(ChannelSettings, NameWhatIsWrongWithTheChannel) {
  EXPECT_NE(refusal("[channel]\nid = \"awgm\"\n").find("Did you mean 'awgn'?"), std::string::npos);
  EXPECT_NE(refusal("[channel]\n").find("channel.id is missing"), std::string::npos);
  EXPECT_NE(refusal(kGain, {"channel.parameters.gain=11"}).find("parameter gain must lie in the range (0, 10]; it is 11"),
            std::string::npos);
  EXPECT_NE(refusal("[channel]\nid = \"awgn\"\n[channel.latents.snr]\nvisible = true\n").find("awgn has no such latent"),
            std::string::npos);
}

TEST(ChannelSettings, SayWhichLineOfTheFileIsWrong) {
  const auto refused_at = [](const std::string& toml, const std::vector<std::string>& overrides = {}) {
    ChannelSettings settings = read(toml, overrides);
    settings.read_places(Config::parse(toml, "test.toml", overrides));
    settings.signals_from = "data.h5";
    return message_of<ConfigError>([&] { make_channel(registry(), settings, {4, 4}); });
  };
  const std::string gain = kGain;
  EXPECT_TRUE(refused_at(gain, {"channel.parameters.gain=11"}).starts_with("test.toml:4: channel org.example.gain: parameter gain"));
  EXPECT_TRUE(refused_at("[channel]\nid = \"awgm\"\n").starts_with("test.toml:2: ")) << refused_at("[channel]\nid = \"awgm\"\n");
  const std::string stages = "[channel]\nid = \"compose\"\n[[channel.stages]]\nid = \"awgn\"\n[channel.stages.parameters]\nsigm = 1\n";
  EXPECT_TRUE(refused_at(stages).starts_with("test.toml:5: channel.stages[0]: ")) << refused_at(stages);
  // The channel takes one axis, as only its own configure() knows: the shape and where it is from are said, too.
  const std::string shape = refused_at(gain);
  EXPECT_TRUE(shape.starts_with("test.toml:4: ")) << shape;
  EXPECT_NE(shape.find("shape [4, 4] of the rows of data.h5."), std::string::npos) << shape;
}

}  // namespace
}  // namespace unchannel
