// mean, vjp and loglik of the spectrograph: adjoint identity and finite differences.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <numbers>

#include "plugin_driver.hpp"

namespace {

using unchannel::test::Array;
using unchannel::test::Channel;

const std::string kLibrary = UNCHANNEL_BINARY_DIR "/plugins/spectrograph.so";

Array<float> normals(uint64_t id, int64_t count, int64_t pixels, float scale = 1, float shift = 0) {
  Array<float> a({count, pixels});
  unchannel_normal_fill(12, id, 0, a.values.size(), a.values.data());
  for (float& value : a.values) {
    value = shift + scale * value;
  }
  return a;
}

double dot(const Array<float>& a, const Array<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.values.size(); ++i) {
    sum += static_cast<double>(a.values[i]) * static_cast<double>(b.values[i]);
  }
  return sum;
}
double norm(const Array<float>& a) { return std::sqrt(dot(a, a)); }

Channel::Latents latents_of(Channel& channel, int64_t count, int64_t pixels) {
  auto latents = channel.draw(3, count);
  if (channel.active("ivar")) {
    Array<float> ivar({count, pixels});
    Array<int32_t> mask({count, pixels});
    for (size_t i = 0; i < ivar.values.size(); ++i) {
      ivar.values[i] = 1 + static_cast<float>(i % 5), mask.values[i] = i % 11 == 0 ? 1 : 0;
    }
    latents.emplace("ivar", ivar);
    latents.emplace("mask", mask);
  }
  return latents;
}

class SpectrographLinearity : public testing::TestWithParam<std::tuple<double, std::string>> {};

TEST_P(SpectrographLinearity, VjpIsTheAdjointOfTheLinearPartOfMean) {
  const auto [fwhm, noise] = GetParam();
  for (const int64_t pixels : {33, 1024}) {
    Channel channel(kLibrary);
    ASSERT_EQ(
        channel.configure(
            {pixels},
            {{"resolution_delta_ln_lambda", fwhm}, {"noise", noise}, {"offset_multiplicative_sigma", 0.2}, {"offset_additive_sigma", 0.2}}),
        UNCHANNEL_OK)
        << channel.error;
    const auto latents = latents_of(channel, 2, pixels);
    const auto u = normals(1, 2, pixels), v = normals(2, 2, pixels), zero = Array<float>({2, pixels});
    auto linear = channel.mean(u, latents);
    const auto constant = channel.mean(zero, latents);
    for (size_t i = 0; i < linear.values.size(); ++i) {
      linear.values[i] -= constant.values[i];
    }
    // float32 rounding of D terms; the cancellation of the constant costs another digit
    EXPECT_NEAR(dot(linear, v), dot(u, channel.vjp(u, v, latents)), 1e-5 * norm(u) * norm(v)) << pixels;
  }
}
INSTANTIATE_TEST_SUITE_P(Widths, SpectrographLinearity,
                         testing::Combine(testing::Values(0.0, 2e-4, 2e-3, 2e-2), testing::Values(std::string("none"), "snr", "ivar")));

class SpectrographLoglik : public testing::TestWithParam<std::string> {};

TEST_P(SpectrographLoglik, GradientAgreesWithCentralDifferences) {
  const int64_t pixels = 200;
  Channel channel(kLibrary);
  ASSERT_EQ(
      channel.configure({pixels}, {{"resolution_delta_ln_lambda", 0.01}, {"noise", GetParam()}, {"offset_multiplicative_sigma", 0.1}}),
      UNCHANNEL_OK);
  const auto latents = latents_of(channel, 1, pixels);
  const auto x = normals(5, 1, pixels, 0.3F, 1.0F);
  const auto y = channel.simulate(8, x, latents);
  Array<float> gradient;
  channel.loglik(y, x, latents, &gradient);
  const auto direction = normals(6, 1, pixels);
  const float h = 1e-2F;  // loglik is smooth on the scale of sigma >= 0.3; float32 rounding of x bounds h from below
  auto plus = x, minus = x;
  for (size_t i = 0; i < x.values.size(); ++i) {
    plus.values[i] += h * direction.values[i], minus.values[i] -= h * direction.values[i];
  }
  const double slope = (channel.loglik(y, plus, latents)[0] - channel.loglik(y, minus, latents)[0]) / (2 * static_cast<double>(h));
  EXPECT_NEAR(slope, dot(gradient, direction), 2e-3 * norm(gradient) * norm(direction) / std::sqrt(static_cast<double>(pixels)));
}

TEST_P(SpectrographLoglik, IsTheLogDensityOfTheObservedPixels) {
  const int64_t pixels = 50;
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({pixels}, {{"noise", GetParam()}}), UNCHANNEL_OK);
  const auto latents = latents_of(channel, 1, pixels);
  const auto x = normals(5, 1, pixels, 0.3F, 1.0F), y = normals(7, 1, pixels);
  double expected = 0, size = 0;
  for (int64_t d = 0; d < pixels; ++d) {
    size += std::abs(static_cast<double>(x.values[d])) / static_cast<double>(pixels);
  }
  for (int64_t d = 0; d < pixels; ++d) {
    double sigma = 0;
    if (GetParam() == "ivar") {
      if (std::get<Array<int32_t>>(latents.at("mask")).values[d] != 0) {
        continue;
      }
      sigma = 1 / std::sqrt(static_cast<double>(std::get<Array<float>>(latents.at("ivar")).values[d]));
    } else {
      sigma = size / static_cast<double>(std::get<Array<float>>(latents.at("snr")).values[0]);
    }
    const double z = (static_cast<double>(y.values[d]) - static_cast<double>(x.values[d])) / sigma;
    expected += -0.5 * z * z - std::log(sigma) - 0.5 * std::log(2 * std::numbers::pi);
  }
  EXPECT_NEAR(channel.loglik(y, x, latents)[0], expected, 1e-5 * std::abs(expected));
}
INSTANTIATE_TEST_SUITE_P(Noise, SpectrographLoglik, testing::Values("snr", "ivar"));

TEST(SpectrographMean, EqualsTheAverageOfManySimulations) {
  const int64_t count = 4000, pixels = 16;
  Channel channel(kLibrary);
  ASSERT_EQ(channel.configure({pixels}, {{"snr_min", 10.0}, {"snr_max", 10.0}}), UNCHANNEL_OK);
  Array<float> x({count, pixels}, 1.0F);
  const auto latents = channel.draw(1, count);
  const auto y = channel.simulate(2, x, latents);
  double sum = 0;
  for (const float value : y.values) {
    sum += static_cast<double>(value) - 1;
  }
  EXPECT_LT(std::abs(sum / 0.1) / std::sqrt(static_cast<double>(count * pixels)), 4.0);
}

}  // namespace
