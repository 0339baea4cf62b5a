// Oracle: direct summation in float64 with the kernel from erfc, reflected as often as the kernel reaches. (These sources are compiled into
// the test, so the baseline loops run here; spectrograph_test.cpp sees those of the processor.)
#include "line_spread.hpp"

#include <gtest/gtest.h>
#include <unchannel/random.h>

#include <cmath>
#include <numbers>
#include <numeric>

namespace {

std::vector<double> smoothed_directly(const std::vector<float>& x, double sigma) {
  const auto pixels = static_cast<int64_t>(x.size());
  const auto radius = static_cast<int64_t>(std::ceil(9 * sigma + 1));
  const auto upper_tail = [sigma](double pixel) { return 0.5 * std::erfc(pixel / (sigma * std::numbers::sqrt2)); };
  std::vector<double> y(x.size(), 0);
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t k = -radius; k <= radius; ++k) {
      const double distance = std::abs(static_cast<double>(k));
      const int64_t place = (((i + k) % (2 * pixels)) + 2 * pixels) % (2 * pixels);
      y[i] += (upper_tail(distance - 0.5) - upper_tail(distance + 0.5)) *
              static_cast<double>(x[place < pixels ? place : 2 * pixels - 1 - place]);
    }
  }
  return y;
}

class LineSpreadWidth : public testing::TestWithParam<double> {};

TEST_P(LineSpreadWidth, AgreesWithDirectSummationOnNoiseForAnyLength) {
  for (const int64_t pixels : {2, 7, 37, 500, 1029}) {
    std::vector<float> x(static_cast<size_t>(pixels)), y(x.size());
    unchannel_normal_fill(3, 0, 0, x.size(), x.data());
    spectrograph::LineSpread(pixels).apply(GetParam(), x, y);
    const auto expected = smoothed_directly(x, GetParam());
    // |x| < 5.8. float32 sums of r = 10 sigma terms: error about sqrt(r) 6e-8 times the result; truncation at 5 sigma 6e-7; the documented
    // bound is 2e-6 |x|.
    for (size_t d = 0; d < x.size(); ++d) {
      ASSERT_NEAR(y[d], expected[d], 1e-5) << "pixel " << d << " of " << pixels;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Pixels, LineSpreadWidth, testing::Values(0.1, 0.3, 1.0, 2.999, 3.0, 9.5, 15.999, 16.0, 30.5, 70.0));

TEST(LineSpread, BelowAPixelConservesFluxOfASingleLineWhereverItIs) {
  for (const size_t line : {0U, 1U, 500U, 1023U}) {
    std::vector<float> x(1024, 0.0F), y(1024);
    x[line] = 1;
    for (const double sigma : {0.06, 0.2, 0.304, 0.7, 30.0}) {
      spectrograph::LineSpread(1024).apply(sigma, x, y);
      EXPECT_NEAR(std::accumulate(y.begin(), y.end(), 0.0), 1.0, 2e-6) << sigma;  // K is symmetric with rows that sum to 1
    }
  }
}

TEST(LineSpread, LeavesConstantsAlone) {
  const std::vector<float> x(333, 2.5F);
  std::vector<float> y(333);
  for (const double sigma : {0.0, 0.3, 5.0, 20.0, 200.0}) {
    spectrograph::LineSpread(333).apply(sigma, x, y);
    for (const float value : y) {
      ASSERT_NEAR(value, 2.5F, 5e-6) << sigma;
    }
  }
}

TEST(LineSpread, WeightsDoNotJumpWhereTheSeriesTakesOver) {
  const auto below = spectrograph::pixel_integrated_gaussian(std::nextafter(3.0, 0.0));
  const auto above = spectrograph::pixel_integrated_gaussian(3.0);
  ASSERT_EQ(below.size(), above.size());
  for (size_t k = 0; k < below.size(); ++k) {
    EXPECT_NEAR(below[k], above[k], 3e-8);
  }
}

}  // namespace
