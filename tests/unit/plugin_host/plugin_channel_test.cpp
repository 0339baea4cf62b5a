#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cstdlib>
#include <numeric>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>
#include <unchannel/plugin_host/process_state.hpp>
#include <unchannel/test_support/message_of.hpp>

// Shape legend: B batch · D signal dimension · M observation dimension
namespace unchannel {
namespace {

constexpr std::int64_t kD = 6;
constexpr std::uint64_t kKey = 42;

std::vector<std::uint64_t> ids_from(std::uint64_t first, std::size_t count) {
  std::vector<std::uint64_t> ids(count);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

std::vector<float> ramp(std::size_t count) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = 0.25F * static_cast<float>(i % 17) - 1.0F;
  return values;
}

/// Latents of the test channel: level [B], number [B, 2], echo [B, D], no stamp.
struct GainLatents {
  explicit GainLatents(std::size_t count, std::int64_t d = kD)
      : level(count), number(2 * count), echo(count * static_cast<std::size_t>(d)) {}
  std::vector<float> level;
  std::vector<std::int32_t> number;
  std::vector<float> echo;
  std::vector<void*> out() { return {level.data(), number.data(), echo.data(), nullptr}; }
  std::vector<const void*> in() const { return {level.data(), number.data(), echo.data(), nullptr}; }
};

class PluginChannelTest : public ::testing::Test {
 protected:
  static const PluginRegistry& registry(std::uint32_t threads = 1) {
    ::setenv("UNCHANNEL_WORKER", WORKER, 1);
    static const PluginRegistry one({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 1});
    static const PluginRegistry four({.plugin_dirs = {GOOD_DIR}, .default_folders = false, .threads = 4});
    return threads == 1 ? one : four;
  }
  static std::unique_ptr<PluginChannel> gain(const nlohmann::json& parameters = nlohmann::json::object(), std::uint32_t threads = 1,
                                             const std::string& id = "org.example.gain", std::int64_t d = kD) {
    auto channel = PluginChannel::create(registry(threads), id);
    channel->configure({d}, parameters);
    return channel;
  }
  /// Draws latents and simulates `ids`, in batches of `batch`; everything in one row-major list.
  static std::vector<float> run(const PluginChannel& channel, const std::vector<std::uint64_t>& ids, std::size_t batch,
                                std::int64_t d = kD) {
    const auto D = static_cast<std::size_t>(d);
    const std::vector<float> x_BD = ramp(ids.size() * D);
    std::vector<float> all;
    for (std::size_t first = 0; first < ids.size(); first += batch) {
      const std::size_t count = std::min(batch, ids.size() - first);
      const std::span part(ids.data() + first, count);
      GainLatents latents(count, d);
      channel.draw_latents(kKey, part, x_BD.data() + first * D, latents.out());
      std::vector<float> y_BM(count * D);
      EXPECT_TRUE(channel.simulate(kKey, part, x_BD.data() + first * D, latents.in(), y_BM.data()).empty());
      for (std::size_t i = 0; i < count; ++i) {
        all.push_back(latents.level[i]);
        all.push_back(static_cast<float>(latents.number[2 * i]));
        all.insert(all.end(), latents.echo.begin() + static_cast<std::ptrdiff_t>(i * D),
                   latents.echo.begin() + static_cast<std::ptrdiff_t>((i + 1) * D));
        all.insert(all.end(), y_BM.begin() + static_cast<std::ptrdiff_t>(i * D), y_BM.begin() + static_cast<std::ptrdiff_t>((i + 1) * D));
      }
    }
    return all;
  }
};

using test_support::message_of;

TEST_F(PluginChannelTest, ReportsItsConfiguration) {
  const auto channel = gain({{"gain", 3}});
  EXPECT_EQ(channel->y_shape(), (ChannelShape{kD}));
  EXPECT_EQ(channel->parameters()["gain"], 3.0);
  EXPECT_EQ(channel->parameters()["taps"], 3);
  EXPECT_NE(channel->canonical().find("gain = 3.0"), std::string::npos) << channel->canonical();
  EXPECT_TRUE(channel->latent_layouts()[1].active);
  EXPECT_EQ(channel->latent_layouts()[1].shape, (ChannelShape{2}));
  EXPECT_FALSE(channel->latent_layouts()[3].active);
  EXPECT_FALSE(channel->offers("lift/1"));
  EXPECT_TRUE(channel->offers("mean/1"));
}

TEST_F(PluginChannelTest, SimulatesWithTheDocumentedKeys) {
  // y = gain x + level + 0.1 n with n from the key derived for the purpose "simulate", by id and element.
  const auto channel = gain();
  const auto ids = ids_from(7, 3);
  const auto x_BD = ramp(3 * kD);
  GainLatents latents(3);
  channel->draw_latents(kKey, ids, x_BD.data(), latents.out());
  std::vector<float> y_BM(3 * kD);
  channel->simulate(kKey, ids, x_BD.data(), latents.in(), y_BM.data());
  const std::uint64_t latent_key = unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_LATENTS));
  const std::uint64_t noise_key = unchannel_derive(kKey, unchannel_tag(UNCHANNEL_TAG_PURPOSE, UNCHANNEL_PURPOSE_SIMULATE));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(latents.level[i], unchannel_uniform(latent_key, ids[i], 0, 0));
    for (std::uint32_t j = 0; j < kD; ++j) {
      const float expected = 2.0F * x_BD[i * kD + j] + latents.level[i] + 0.1F * unchannel_normal(noise_key, ids[i], j, 0);
      EXPECT_FLOAT_EQ(y_BM[i * kD + j], expected);
    }
  }
}

TEST_F(PluginChannelTest, GivesTheSameBitsForAnySplitThreadsAndClass) {
  // Wide enough that the host shares the batch out: 2 × 512 elements a sample.
  constexpr std::int64_t kWide = 512;
  const auto ids = ids_from(1000, 97);
  const std::vector<float> whole = run(*gain({}, 1, "org.example.gain", kWide), ids, 97, kWide);
  for (const std::size_t batch : {std::size_t{1}, std::size_t{7}, std::size_t{96}}) {
    EXPECT_EQ(run(*gain({}, 1, "org.example.gain", kWide), ids, batch, kWide), whole) << batch;
  }
  EXPECT_EQ(run(*gain({}, 4, "org.example.gain", kWide), ids, 97, kWide), whole) << "shared out by the host";
  EXPECT_EQ(run(*gain({}, 4, "org.example.gain_serial", kWide), ids, 97, kWide), whole) << "shared out by the plugin on the host's pool";
}

TEST_F(PluginChannelTest, AcceptsAnEmptyBatch) { EXPECT_TRUE(run(*gain(), {}, 1).empty()); }

TEST_F(PluginChannelTest, MeanIsWhatTheNoiseAveragesTo) {
  const auto channel = gain();
  const std::size_t B = 4000;
  std::vector<float> x_BD(B * kD, 0.5F), y_BM(B * kD), mean_BM(B * kD);
  GainLatents latents(B);
  channel->mean(static_cast<std::int64_t>(B), x_BD.data(), latents.in(), mean_BM.data());
  channel->simulate(kKey, ids_from(0, B), x_BD.data(), latents.in(), y_BM.data());
  double difference = 0;
  for (std::size_t i = 0; i < y_BM.size(); ++i) difference += static_cast<double>(y_BM[i]) - mean_BM[i];
  // Standard error of the mean: 0.1 / sqrt(24000) = 6.5e-4; five of them.
  EXPECT_NEAR(difference / static_cast<double>(y_BM.size()), 0.0, 3.3e-3);
}

TEST_F(PluginChannelTest, VjpIsTheTransposeOfMean) {
  const auto channel = gain({{"half", true}});
  const auto x_D = ramp(kD);
  const std::vector<float> v_M = {0.5F, -2.0F, 3.0F};
  std::vector<float> mean_M(3), zero_M(3), gradient_D(kD), zeros(kD, 0.0F);
  GainLatents latents(1);
  channel->mean(1, x_D.data(), latents.in(), mean_M.data());
  channel->mean(1, zeros.data(), latents.in(), zero_M.data());
  channel->vjp(1, x_D.data(), latents.in(), v_M.data(), gradient_D.data());
  float left = 0, right = 0;
  for (std::size_t j = 0; j < 3; ++j) left += v_M[j] * (mean_M[j] - zero_M[j]);
  for (std::size_t j = 0; j < kD; ++j) right += gradient_D[j] * x_D[j];
  EXPECT_NEAR(left, right, 1e-5);
}

TEST_F(PluginChannelTest, LiftReturnsToTheSignalShape) {
  const auto channel = gain({{"half", true}});
  EXPECT_EQ(channel->y_shape(), (ChannelShape{3}));
  const std::vector<float> y_M = {2, 4, 6};
  std::vector<float> x_D(kD);
  const std::vector<const void*> hidden(4, nullptr);
  channel->lift(1, y_M.data(), hidden, x_D.data());
  EXPECT_EQ(x_D, (std::vector<float>{1, 1, 2, 2, 3, 3}));
}

TEST_F(PluginChannelTest, LiftIsTheIdentityWhereShapesAgree) {
  const auto channel = gain();
  const auto y = ramp(kD);
  std::vector<float> x(kD);
  channel->lift(1, y.data(), std::vector<const void*>(4, nullptr), x.data());
  EXPECT_EQ(x, y);
}

TEST_F(PluginChannelTest, RefusesOtherShapesWithoutLift) {
  EXPECT_NE(message_of<PluginError>([] {
              gain({{"half", true}, {"with_lift", false}});
            }).find("no 'lift/1', so there is no way back to signals"),
            std::string::npos);
}

TEST_F(PluginChannelTest, ARefusedConfigurationChangesNothing) {
  const auto channel = gain({{"gain", 3}});
  const auto ids = ids_from(0, 5);
  const auto before = run(*channel, ids, 5);
  EXPECT_THROW(channel->configure({kD}, {{"gain", 11}}), ConfigError);
  EXPECT_THROW(channel->configure({kD}, {{"gian", 1}}), ConfigError);
  const std::string message = message_of<PluginError>([&] { channel->configure({2, 3}, nlohmann::json::object()); });
  EXPECT_NE(message.find("gain.so: channel org.example.gain: configure failed with BAD_ARGUMENT: x must have one axis; it has 2."),
            std::string::npos)
      << message;
  EXPECT_EQ(run(*channel, ids, 5), before);
}

TEST_F(PluginChannelTest, LoglikComesWithItsGradient) {
  const auto channel = gain();
  const auto x = ramp(2 * kD), y = ramp(2 * kD);
  GainLatents latents(2);
  std::vector<double> loglik(2);
  std::vector<float> gradient(2 * kD);
  channel->loglik(2, y.data(), x.data(), latents.in(), loglik.data(), gradient.data());
  EXPECT_EQ(loglik[1], -static_cast<double>(y[kD]));
  EXPECT_EQ(gradient, std::vector<float>(2 * kD, 1.0F));
  channel->loglik(2, y.data(), x.data(), latents.in(), loglik.data(), nullptr);
}

class FailingSamples : public PluginChannelTest,
                       public ::testing::WithParamInterface<std::tuple<std::string, std::int32_t, std::uint32_t>> {};

TEST_P(FailingSamples, AreZeroedAndListedAndSpareTheOthers) {
  const auto& [fault, status, threads] = GetParam();
  constexpr std::int64_t kWide = 512;
  const std::size_t B = 64;
  const auto ids = ids_from(100, B);
  const auto x = ramp(B * kWide);
  GainLatents latents(B, kWide);
  std::vector<float> good(B * kWide), y(B * kWide, 9.0F);
  gain({}, threads, "org.example.gain", kWide)->simulate(kKey, ids, x.data(), latents.in(), good.data());
  const auto failures = gain({{"fault", fault}}, threads, "org.example.gain", kWide)->simulate(kKey, ids, x.data(), latents.in(), y.data());
  std::size_t next = 0;
  for (std::size_t i = 0; i < B; ++i) {
    const bool failed = ids[i] % 5 == 3;
    for (std::size_t j = 0; j < kWide; ++j) ASSERT_EQ(y[i * kWide + j], failed ? 0.0F : good[i * kWide + j]);
    if (!failed) continue;
    ASSERT_LT(next, failures.size());
    EXPECT_EQ(failures[next].index, static_cast<std::int64_t>(i));
    EXPECT_EQ(failures[next].id, ids[i]);
    EXPECT_EQ(failures[next].status, status);
    ++next;
  }
  EXPECT_EQ(next, failures.size());
}

INSTANTIATE_TEST_SUITE_P(Kinds, FailingSamples,
                         ::testing::Values(std::tuple{"nan", UNCHANNEL_SAMPLE_NOT_FINITE, 1u},
                                           std::tuple{"nan", UNCHANNEL_SAMPLE_NOT_FINITE, 4u},
                                           std::tuple{"domain", UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, 1u},
                                           std::tuple{"domain", UNCHANNEL_SAMPLE_OUT_OF_DOMAIN, 4u}));

std::string failure_of(const PluginChannel& channel) {
  const auto x = ramp(kD);
  GainLatents latents(1);
  std::vector<float> y(kD);
  const auto ids = ids_from(0, 1);
  return message_of<PluginError>([&] { channel.simulate(kKey, ids, x.data(), latents.in(), y.data()); });
}

TEST_F(PluginChannelTest, PassesOnThePluginsOwnText) {
  const auto channel = gain({{"fault", "bad_argument"}});
  for (int again = 0; again < 2; ++again) {  // nothing has changed, so the instance stays usable
    EXPECT_NE(failure_of(*channel).find("channel org.example.gain: simulate failed with BAD_ARGUMENT: the lamp is off"), std::string::npos);
  }
}

TEST_F(PluginChannelTest, RepeatsWhatMaySucceedLater) { EXPECT_EQ(failure_of(*gain({{"fault", "retry_twice"}})), "nothing was thrown"); }

TEST_F(PluginChannelTest, StopsUsingABrokenInstance) {
  for (const char* fault : {"instance_broken", "throws", "status_99"}) {
    const auto channel = gain({{"fault", fault}});
    EXPECT_NE(failure_of(*channel), "nothing was thrown") << fault;
    EXPECT_NE(failure_of(*channel).find("reported INSTANCE_BROKEN earlier"), std::string::npos) << fault;
    EXPECT_EQ(failure_of(*gain()), "nothing was thrown") << "other instances are fine";
  }
}

TEST_F(PluginChannelTest, RestoresTheRoundingModeAndSaysSo) {
  const std::uint64_t mode = float_control();
  EXPECT_NE(failure_of(*gain({{"fault", "rounding"}})).find("another floating-point mode"), std::string::npos);
  EXPECT_EQ(float_control(), mode);
}

TEST_F(PluginChannelTest, SaysWhichLatentIsMissing) {
  const auto channel = gain();
  const auto x = ramp(kD);
  std::vector<float> y(kD);
  const auto ids = ids_from(0, 1);
  EXPECT_NE(message_of<ShapeError>([&] {
              channel->simulate(kKey, ids, x.data(), std::vector<const void*>(4, nullptr), y.data());
            }).find("latent 'level' is missing"),
            std::string::npos);
  GainLatents latents(1);
  EXPECT_NE(message_of<ShapeError>([&] { channel->draw_latents(kKey, ids, nullptr, latents.out()); }).find("depends on the signal"),
            std::string::npos);
}

TEST_F(PluginChannelTest, DrawsOnlyTheLatentsThatAreWanted) {
  const auto channel = gain();
  const auto ids = ids_from(0, 3);
  GainLatents latents(3);
  const std::vector<void*> wanted = {nullptr, latents.number.data(), nullptr, nullptr};
  channel->draw_latents(kKey, ids, nullptr, wanted);  // no x: `echo` is not wanted
  GainLatents all(3);
  const auto x = ramp(3 * kD);
  channel->draw_latents(kKey, ids, x.data(), all.out());
  EXPECT_EQ(latents.number, all.number);
}

TEST_F(PluginChannelTest, RefusesToDrawALatentThatComesWithTheData) {
  const auto channel = gain({{"mode", "harsh"}});
  std::int64_t stamp = 0;
  const std::vector<void*> wanted = {nullptr, nullptr, nullptr, &stamp};
  EXPECT_NE(message_of<ConfigError>([&] { channel->draw_latents(kKey, ids_from(0, 1), nullptr, wanted); }).find("'stamp' cannot be drawn"),
            std::string::npos);
}

TEST_F(PluginChannelTest, RunsAPluginWrittenInC) {
  auto channel = PluginChannel::create(registry(), registry().find("org.example.awgn").channel->id);
  channel->configure({2, 3}, {{"sigma", 0.0}});
  const auto x = ramp(12);
  std::vector<float> y(12);
  channel->simulate(kKey, ids_from(0, 2), x.data(), {}, y.data());
  EXPECT_EQ(y, x);
}

}  // namespace
}  // namespace unchannel
