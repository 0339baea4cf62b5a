// Noise and likelihood of the tomography plugin.
#include <gtest/gtest.h>

#include <numeric>

#include "tomography_support.hpp"

namespace {

using namespace unchannel::test;

using Settings = std::map<std::string, Channel::Value>;

/// A smooth blob with line integrals between 0 and about 2.5.
Array<float> blobs(int64_t count, int64_t pixels) {
  const auto image =
      Phantom{{{1, 2, 0.4 * static_cast<double>(pixels), 0.3 * static_cast<double>(pixels), 0.3, 6.0 / static_cast<double>(pixels)}}, 2}
          .image(pixels);
  Array<float> x({count, pixels, pixels});
  for (int64_t i = 0; i < count; ++i) {
    std::ranges::copy(image, x.row(i));
  }
  return x;
}

TEST(TomographyNoise, GaussianNoiseIsWhiteAndOfTheGivenSigma) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({32, 32}, {{"noise_sigma", 0.7}}), UNCHANNEL_OK);
  const auto x = blobs(8, 32);
  auto residual = channel.simulate(5, x, {}).values;
  const auto mean = channel.mean(x, {}).values;
  double lag = 0, fourth = 0;
  for (size_t d = 0; d < residual.size(); ++d) {
    residual[d] = (residual[d] - mean[d]) / 0.7F;
    lag += d == 0 ? 0 : static_cast<double>(residual[d] * residual[d - 1]);
    fourth += std::pow(static_cast<double>(residual[d]), 4);
  }
  const auto count = static_cast<double>(residual.size());  // 66240
  EXPECT_NEAR(std::accumulate(residual.begin(), residual.end(), 0.0) / count, 0, 4 / std::sqrt(count));
  EXPECT_NEAR(dot(residual, residual) / count, 1, 4 * std::sqrt(2 / count));
  EXPECT_NEAR(fourth / count, 3, 4 * std::sqrt(96 / count));
  EXPECT_NEAR(lag / count, 0, 4 / std::sqrt(count));
}

TEST(TomographyNoise, PhotonsArePoissonAndNoPhotonIsHalfAPhoton) {
  constexpr double kPhotons = 30;
  constexpr int64_t kCount = 300;
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({16, 16}, {{"views", int64_t{6}}, {"noise", std::string("poisson")}, {"photon_count", kPhotons}}),
            UNCHANNEL_OK);
  auto x = blobs(kCount, 16);
  const auto y = channel.simulate(5, x, {});
  const auto mean = channel.mean(blobs(1, 16), {}).values;
  double none = 0, none_expected = 0, largest = 0;
  for (size_t d = 0; d < mean.size(); ++d) {
    const double expected = kPhotons * std::exp(-static_cast<double>(mean[d]));
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < kCount; ++i) {
      const double seen = kPhotons * std::exp(-static_cast<double>(y.row(i)[d]));
      const double counts = std::abs(seen - 0.5) < 1e-4 ? 0 : seen;
      ASSERT_NEAR(counts, std::round(counts), 1e-4);  // counts are whole numbers; y is rounded to 2e-7
      none += counts == 0 ? 1 : 0;
      sum += counts, squares += (counts - expected) * (counts - expected);
    }
    none_expected += kCount * std::exp(-expected);
    // 5.5 standard deviations over 138 bins, fourth central moment mean + 3 mean²
    EXPECT_LT(std::abs(sum - kCount * expected), 5.5 * std::sqrt(kCount * expected)) << d;
    EXPECT_LT(std::abs(squares - kCount * expected), 5.5 * std::sqrt(kCount * (expected + 2 * expected * expected)) + 5) << d;
    largest = std::max(largest, static_cast<double>(mean[d]));
  }
  EXPECT_GT(none_expected, 100);  // the case is tested at all
  EXPECT_NEAR(none, none_expected, 5 * std::sqrt(none_expected));
  EXPECT_GT(largest, 2);
}

class Loglik : public testing::TestWithParam<std::string> {
 protected:
  [[nodiscard]] Settings settings() const {
    return {{"views", int64_t{9}}, {"noise", GetParam()}, {"photon_count", 15.0}, {"noise_sigma", 0.3}};
  }
};

TEST_P(Loglik, IsTheLogOfTheDensityThatSimulateDraws) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({16, 16}, settings()), UNCHANNEL_OK);
  const auto x = blobs(1, 16);
  const auto y = channel.simulate(3, x, {});
  const auto mean = channel.mean(x, {}).values;
  double expected = 0, size = 0;
  int none = 0;
  for (size_t d = 0; d < mean.size(); ++d) {
    double term = 0;
    if (GetParam() == "gaussian") {
      const double z = (static_cast<double>(y.values[d]) - static_cast<double>(mean[d])) / 0.3;
      term = -0.5 * z * z - std::log(0.3 * std::sqrt(2 * std::numbers::pi));
    } else {
      const double seen = 15 * std::exp(-static_cast<double>(y.values[d]));
      const double k = seen < 0.75 ? 0 : std::round(seen);
      none += k == 0 ? 1 : 0;
      const double rate = 15 * std::exp(-static_cast<double>(mean[d]));
      term = k * std::log(rate) - rate - std::lgamma(k + 1);
    }
    expected += term, size += std::abs(term);
  }
  EXPECT_NEAR(channel.loglik(y, x, {})[0], expected, 1e-5 * size);  // y and mean are float32
  EXPECT_TRUE(GetParam() == "gaussian" || none > 0);
}

TEST_P(Loglik, GradientAgreesWithCentralDifferences) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({16, 16}, settings()), UNCHANNEL_OK);
  const auto x = blobs(2, 16);
  const auto y = channel.simulate(3, x, {});
  Array<float> gradient;
  channel.loglik(y, x, {}, &gradient);
  const auto direction = random_array(6, {2, 16, 16});
  const float h = 2e-3F;  // changes line integrals by about 0.01; the third derivative leaves (0.01)² / 6 of the slope
  auto plus = x, minus = x;
  for (size_t i = 0; i < x.values.size(); ++i) {
    plus.values[i] += h * direction.values[i], minus.values[i] -= h * direction.values[i];
  }
  const auto high = channel.loglik(y, plus, {}), low = channel.loglik(y, minus, {});
  for (int64_t i = 0; i < 2; ++i) {
    const std::vector<float> g(gradient.row(i), gradient.row(i) + 256), d(direction.row(i), direction.row(i) + 256);
    const double slope = (high[i] - low[i]) / (2 * static_cast<double>(h));
    EXPECT_NEAR(slope, dot(g, d), 1e-3 * norm(g) * norm(d) / 16);  // random directions have a dot product of about norm · norm / 16
  }
}

/// E[score] = 0: the gradient averaged over draws vanishes within its own scatter, bins without photons included.
TEST_P(Loglik, ScoreHasMeanZero) {
  constexpr int64_t kCount = 400;
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({12, 12}, settings()), UNCHANNEL_OK);
  const auto x = blobs(kCount, 12);
  Array<float> gradient;
  channel.loglik(channel.simulate(8, x, {}), x, {}, &gradient);
  for (int64_t pixel = 0; pixel < 144; ++pixel) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < kCount; ++i) {
      const double g = static_cast<double>(gradient.row(i)[pixel]);
      sum += g, squares += g * g;
    }
    EXPECT_LT(std::abs(sum), 5 * std::sqrt(squares)) << pixel;
  }
}
INSTANTIATE_TEST_SUITE_P(Noise, Loglik, testing::Values("gaussian", "poisson"));

TEST(TomographyNoise, CountsOfCalibratedDataNeedNotBeWhole) {
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure(
                {8, 8}, {{"views", int64_t{1}}, {"detector_bins", int64_t{1}}, {"noise", std::string("poisson")}, {"photon_count", 100.0}}),
            UNCHANNEL_OK);
  const Array<float> x({1, 8, 8});  // nothing there: 100 photons expected
  const double counts = 90.4;
  const auto y = one({1, 1, 1}, {static_cast<float>(std::log(100 / counts))});
  EXPECT_NEAR(channel.loglik(y, x, {})[0], counts * std::log(100.0) - 100 - std::lgamma(counts + 1), 1e-4);
}

}  // namespace
