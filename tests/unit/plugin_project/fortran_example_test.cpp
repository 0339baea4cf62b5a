// plugin-api/examples/fortran against the closed form of discrete diffusion without flux through the ends: cosines are its eigenvectors.
#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <numbers>
#include <unchannel/test_support/temp_dir.hpp>

#include "plugin_driver.hpp"
#include "project_build.hpp"

namespace unchannel {
namespace {

using test::Array;
using test::Channel;

/// x [pixels] after `steps` steps: a_k = sum_j x_j cos(pi k (j + 1/2) / N) decays by 1 - 4 ratio sin^2(pi k / 2N) a step.
std::vector<double> diffused(const float* x, int64_t pixels, int64_t steps, double ratio) {
  const auto n = static_cast<double>(pixels);
  std::vector<double> y(static_cast<size_t>(pixels), 0.0);
  for (int64_t k = 0; k < pixels; ++k) {
    const double wave = std::numbers::pi * static_cast<double>(k) / n;
    double amplitude = 0;
    for (int64_t j = 0; j < pixels; ++j) amplitude += static_cast<double>(x[j]) * std::cos(wave * (static_cast<double>(j) + 0.5));
    const double decay = 1 - 4 * ratio * std::pow(std::sin(wave / 2), 2);
    amplitude *= std::pow(decay, static_cast<double>(steps)) * (k == 0 ? 1 : 2) / n;
    for (int64_t j = 0; j < pixels; ++j) y[static_cast<size_t>(j)] += amplitude * std::cos(wave * (static_cast<double>(j) + 0.5));
  }
  return y;
}

class FortranExample : public testing::Test {
 protected:
  static constexpr int64_t kPixels = 37, kSteps = 23;
  static constexpr double kRatio = 0.3, kSigma = 0.5;

  void SetUp() override {
    if (run_subprocess({"/bin/sh", "-c", "command -v gfortran"}, 10).exit_code != 0) {
      GTEST_SKIP() << "gfortran is not installed: apt-get install gfortran";
    }
    static const test_support::TempDir scratch;
    static const bool once = [] {
      test::build_project(UNCHANNEL_SOURCE_DIR "/plugin-api/examples/fortran", scratch / "build");
      return true;
    }();
    ASSERT_TRUE(once);
    channel = std::make_unique<Channel>(scratch / "build/plugins/diffusion.so");
    ASSERT_EQ(channel->configure({kPixels}, {{"steps", kSteps}, {"diffusion_ratio", kRatio}, {"noise_sigma", kSigma}}), UNCHANNEL_OK)
        << channel->error;
    for (uint32_t i = 0; i < x.values.size(); ++i) x.values[i] = 10 * unchannel_normal(1, 2, i, 0);
  }
  std::unique_ptr<Channel> channel;
  Array<float> x{{3, kPixels}};
};

TEST_F(FortranExample, MeanIsTheClosedFormOfDiffusion) {
  const auto mean = channel->mean(x, {});
  for (int64_t i = 0; i < 3; ++i) {
    const auto expected = diffused(x.row(i), kPixels, kSteps, kRatio);
    for (int64_t d = 0; d < kPixels; ++d) {
      // The model is float64 and rounds once to float32 (half a unit in the last place, at most 2^-24 of the value); its own error and the
      // reference's are below kPixels * kSteps * 2^-52 * |x| = 1e-11.
      const double value = expected[static_cast<size_t>(d)];
      EXPECT_NEAR(mean.row(i)[d], value, std::ldexp(std::abs(value), -24) + 1e-10);
    }
  }
}

TEST_F(FortranExample, NoiseIsThatOfTheKeyAndTheId) {
  const auto y = channel->simulate(31, x, {}, 1000), mean = channel->mean(x, {});
  const uint64_t key = unchannel_derive(31, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (int64_t i = 0; i < 3; ++i) {
    for (uint32_t d = 0; d < kPixels; ++d) {
      const float n = unchannel_normal(key, 1000 + static_cast<uint64_t>(i), d, 0);
      const double expected = static_cast<double>(mean.row(i)[d]) + kSigma * static_cast<double>(n);
      EXPECT_NEAR(y.row(i)[d], expected, std::ldexp(std::abs(expected) + std::abs(kSigma * n), -24));  // the product and the sum, rounded
    }
  }
}

TEST_F(FortranExample, VjpIsTheAdjointOfTheMean) {
  Array<float> cotangent({3, kPixels});
  for (uint32_t i = 0; i < cotangent.values.size(); ++i) cotangent.values[i] = unchannel_normal(3, 4, i, 0);
  const auto mean = channel->mean(x, {}), gradient = channel->vjp(x, cotangent, {});
  for (int64_t i = 0; i < 3; ++i) {
    double forward = 0, backward = 0, size = 0;
    for (int64_t d = 0; d < kPixels; ++d) {
      const double a = static_cast<double>(cotangent.row(i)[d]) * static_cast<double>(mean.row(i)[d]);
      const double b = static_cast<double>(gradient.row(i)[d]) * static_cast<double>(x.row(i)[d]);
      forward += a, backward += b, size += std::abs(a) + std::abs(b);
    }
    EXPECT_NEAR(forward, backward, std::ldexp(size, -24));  // every factor of the results rounded to float32 once
  }
}

TEST_F(FortranExample, GivesTheSameBitsOnTwoThreads) {
  const Array<float> many({500, kPixels}, 3.0F);
  const auto alone = channel->simulate(5, many, {});
  std::vector<Array<float>> results(2, Array<float>(many.shape()));
  {
    std::vector<std::jthread> threads;
    for (Array<float>& y : results) {
      threads.emplace_back([&] {  // not Channel::simulate, which writes members
        Channel::Call call(*channel, 5, 500, 0, {});
        const auto tx = many.tensor(), ty = y.tensor();
        const unchannel_simulate_args args{sizeof args, nullptr, &tx, nullptr, 0, 0, &ty};
        channel->core->simulate(channel->instance, &call.batch, &args);
      });
    }
  }
  EXPECT_EQ(results[0].values, alone.values);
  EXPECT_EQ(results[1].values, alone.values);
}

}  // namespace
}  // namespace unchannel
