#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/tensor/built_ins.hpp>
#include <unchannel/tensor/least_squares_lift.hpp>
#include <unchannel/test_support/message_of.hpp>

namespace unchannel {
namespace {

using test_support::message_of;

constexpr std::int64_t kSize = 20;
const std::vector<std::int64_t> kShape = {1, kSize, kSize};

std::unique_ptr<Channel> motion_blur(bool visible = true) {
  return make_built_in("motion_blur", kShape, {{"length", 7}, {"noise_sigma", 0.0}}, {{"direction", {{"visible", visible}}}});
}

double cosine(const at::Tensor& a, const at::Tensor& b) { return (a.mul(b).sum() / (a.norm() * b.norm())).item<double>(); }

/// A wave along the first row's direction, which seven pixels of horizontal motion turn over: sin(7π·0.2)/(7 sin(π·0.2)) = −0.23.
struct TurnedWave {
  at::Tensor x_BD = at::cos(2.0 * M_PI * 0.2 * at::arange(kSize, at::kFloat)).expand({kSize, kSize}).reshape({1, -1}).contiguous();
  Latents latents;
  at::Tensor y_BM;

  explicit TurnedWave(const Channel& channel) {
    latents = channel.draw_latents(RandomKey(1), at::zeros({1}, at::kLong), x_BD);
    latents.at("direction").zero_();
    y_BM = channel.mean(x_BD, latents);
  }
};

TEST(LeastSquaresLift, KeepsTheSignThatTheChannelTurnsOver) {
  const LeastSquaresLift channel(motion_blur(), 20);
  const TurnedWave wave(channel);
  ASSERT_LT(cosine(wave.y_BM, wave.x_BD), -0.5) << "the channel must turn this wave over";
  EXPECT_GT(cosine(channel.lift(wave.y_BM, wave.latents), wave.x_BD), 0.8);
}

TEST(LeastSquaresLift, LeavesEverythingElseToTheChannel) {
  const LeastSquaresLift channel(motion_blur(), 20);
  const std::unique_ptr<Channel> plain = motion_blur();
  const TurnedWave wave(*plain);
  const at::Tensor ids_B = at::zeros({1}, at::kLong);
  EXPECT_TRUE(at::equal(channel.simulate(wave.x_BD, wave.latents, RandomKey(2), ids_B), plain->simulate(wave.x_BD, wave.latents, RandomKey(2), ids_B)));
  EXPECT_TRUE(at::equal(channel.vjp(wave.x_BD, wave.latents, wave.y_BM), plain->vjp(wave.x_BD, wave.latents, wave.y_BM)));
  EXPECT_EQ(channel.observation_shape(), plain->observation_shape());
  nlohmann::json record = channel.configuration();
  EXPECT_EQ(record["lift"], "least_squares");
  EXPECT_EQ(record["lift_iterations"], 20);
  record.erase("lift");
  record.erase("lift_iterations");
  EXPECT_EQ(record, plain->configuration());
}

TEST(LeastSquaresLift, RefusesWhatItCannotInvert) {
  const std::string hidden = message_of<ConfigError>([] { LeastSquaresLift(motion_blur(false), 20); });
  EXPECT_NE(hidden.find("channel.latents.direction.visible = true"), std::string::npos) << hidden;
  const std::string no_mean = message_of<ConfigError>([] { LeastSquaresLift(make_built_in("quantise", kShape, nlohmann::json::object(), {}), 20); });
  EXPECT_NE(no_mean.find("channel.lift = \"own\""), std::string::npos) << no_mean;
}

}  // namespace
}  // namespace unchannel
