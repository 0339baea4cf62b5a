// The transforms inside the plugin against direct sums in float64, and their transposes. (These sources are compiled into the test, so the
// baseline loops run here; tomography_test.cpp sees those of the processor.)
#include <gtest/gtest.h>

#include <complex>

#include <unchannel/sdk/poisson.hpp>

#include "tomography_support.hpp"
#include "transforms.hpp"

namespace {

using namespace tomography;
using namespace unchannel::test;
using unchannel::sdk::log_factorial;
using unchannel::sdk::poisson;

/// Some frequencies with k.x ≥ 0: the middle, the borders and corners of the square, and anywhere.
std::vector<Frequency> frequencies() {
  constexpr double pi = std::numbers::pi;
  std::vector<Frequency> ks{{0, 0}, {pi, pi}, {pi, -pi}, {0, pi}, {0, -pi}, {pi, 0}, {1e-9, -1e-9}, {pi - 1e-9, 0.3}, {0.01, 2}};
  for (uint32_t i = 0; i < 200; ++i) {
    ks.push_back(
        {pi * static_cast<double>(unchannel_uniform(5, 0, i, 0)), pi * (2 * static_cast<double>(unchannel_uniform(5, 1, i, 0)) - 1)});
  }
  return ks;
}

std::complex<double> direct(const std::vector<float>& x, int64_t pixels, Frequency k) {
  const double centre = 0.5 * static_cast<double>(pixels - 1);
  std::complex<double> sum = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    for (int64_t j = 0; j < pixels; ++j) {
      sum += std::polar(static_cast<double>(x[i * pixels + j]),
                        -k.x * (static_cast<double>(j) - centre) - k.y * (centre - static_cast<double>(i)));
    }
  }
  return sum;
}

class ImageSize : public testing::TestWithParam<int64_t> {};

TEST_P(ImageSize, TransformIsTheDirectSum) {
  const int64_t pixels = GetParam();
  const ImageGrid grid(pixels);
  ImageGrid::Scratch scratch(grid);
  const auto x = random_array(1, {pixels, pixels}).values;
  for (int repetition = 0; repetition < 2; ++repetition) {  // the second finds the scratch used
    grid.transform(x.data(), scratch);
    double squares = 0;
    for (const Frequency k : frequencies()) {
      const GridPoint point = grid.place(k);
      Complex value;
      grid.gather(scratch, &point, 1, &value);
      const double error = std::abs(std::complex<double>(value) * grid.phase(k) - direct(x, pixels, k)) / static_cast<double>(pixels);
      squares += error * error;
      EXPECT_LT(error, 1e-5) << k.x << " " << k.y;  // 4 times the root mean square below
    }
    // |F| of white noise is about N. image_grid.hpp states the kernel's error; float32 rounding in the FFT adds a few 1e-7.
    EXPECT_LT(std::sqrt(squares / static_cast<double>(frequencies().size())), 2.5e-6);
  }
}

TEST_P(ImageSize, TransposeIsExact) {
  const int64_t pixels = GetParam();
  const ImageGrid grid(pixels);
  ImageGrid::Scratch scratch(grid);
  const auto x = random_array(1, {pixels, pixels}).values;
  std::vector<GridPoint> points;
  for (const Frequency k : frequencies()) {
    points.push_back(grid.place(k));
  }
  const auto count = static_cast<int64_t>(points.size());
  const auto parts = random_array(2, {count, 2}).values;
  std::vector<Complex> cotangent, values(points.size());
  for (size_t p = 0; p < points.size(); ++p) {
    cotangent.emplace_back(parts[2 * p], parts[2 * p + 1]);
  }
  std::vector<float> back(x.size());
  grid.transform(x.data(), scratch);
  grid.gather(scratch, points.data(), count, values.data());
  double left = 0, size = 0;
  for (size_t p = 0; p < points.size(); ++p) {
    left += std::real(std::complex<double>(std::conj(cotangent[p])) * std::complex<double>(values[p]));
    size += std::norm(std::complex<double>(values[p]));
  }
  for (int repetition = 0; repetition < 2; ++repetition) {
    grid.clear(scratch);
    grid.spread(cotangent.data(), points.data(), count, scratch);
    grid.transpose(scratch, back.data());
    EXPECT_NEAR(left, dot(x, back), 1e-6 * std::sqrt(size) * norm(parts));  // rounding of float32 sums with random signs
  }
}
INSTANTIATE_TEST_SUITE_P(Pixels, ImageSize, testing::Values(2, 3, 17, 32, 45, 64, 100));

TEST(SliceOperator, IsItsDefinition) {
  constexpr int64_t kPixels = 20;
  Geometry geometry{kPixels, 1, {}, {}, 13, 1.7, 0.4};
  set_angles(geometry, 7, -100, 360);  // all quadrants
  const ImageGrid grid(kPixels);
  const SliceOperator::Rows rows{60, 2};
  const auto weight = [](int64_t view, int64_t m, Frequency k) {
    return 1 + 0.1 * static_cast<double>(view) - 0.01 * static_cast<double>(m) + k.x;
  };
  const SliceOperator slices(geometry, grid, rows, weight);
  const auto x = random_array(4, {kPixels, kPixels}).values;
  std::vector<float> y(7 * 13);
  slices.apply(x.data(), y.data(), *slices.borrow());
  const double step = 2 * std::numbers::pi / (60 * 1.7 / 2);
  std::vector<float> expected;
  for (int64_t v = 0; v < 7; ++v) {
    const double theta = (-100 + 360.0 / 7 * static_cast<double>(v)) * std::numbers::pi / 180;
    std::vector<std::complex<double>> spectrum;
    for (int64_t m = 0; m <= 30; ++m) {
      const double radial = step * static_cast<double>(m);
      const Frequency k{radial * std::cos(theta), radial * std::sin(theta)};
      const bool inside = std::max(std::abs(k.x), std::abs(k.y)) <= std::numbers::pi;
      spectrum.push_back(inside ? weight(v, m, k) * direct(x, kPixels, k) : 0);
    }
    for (int64_t b = 0; b < 13; ++b) {
      const double s = 1.7 * static_cast<double>(b - 6) + 0.4;
      double sum = 0;
      for (int64_t m = 0; m <= 30; ++m) {
        sum += (m == 0 || m == 30 ? 1 : 2) * std::real(spectrum[m] * std::polar(1.0, step * static_cast<double>(m) * s));
      }
      expected.push_back(static_cast<float>(sum));
    }
  }
  EXPECT_LT(relative_error(y, expected), 3e-6);  // see TransformIsTheDirectSum
}

TEST(Poisson, LogFactorialIsLogGamma) {
  for (const double k : {0.0, 0.5, 1.0, 2.0, 3.7, 9.0, 9.99, 10.0, 100.0, 12345.6, 1e12}) {
    EXPECT_NEAR(log_factorial(k), std::lgamma(k + 1), 1e-13 * std::max(1.0, std::lgamma(k + 1))) << k;
  }
}

class PoissonMean : public testing::TestWithParam<double> {};

TEST_P(PoissonMean, HistogramIsPoisson) {
  const double mean = GetParam();
  constexpr int kDraws = 200000;
  const double spread = std::sqrt(mean);
  // Cells of a fifth of a standard deviation within 3, everything else in the outermost two; chi-square against the exact probabilities.
  const auto low = static_cast<int64_t>(std::max(0.0, std::floor(mean - 3 * spread)));
  const auto high = static_cast<int64_t>(std::ceil(mean + 3 * spread));
  const int64_t width = std::max<int64_t>(1, std::llround(spread / 5)), cells = (high - low) / width + 2;
  std::vector<double> expected(static_cast<size_t>(cells)), seen(expected.size());
  const auto cell = [&](double k) {
    return k < static_cast<double>(low) ? 0 : std::min(cells - 1, 1 + (static_cast<int64_t>(k) - low) / width);
  };
  const auto far = static_cast<int64_t>(mean + 12 * spread + 30);
  for (auto k = static_cast<int64_t>(std::max(0.0, mean - 12 * spread)); k < far; ++k) {
    const auto n = static_cast<double>(k);
    expected[cell(n)] += kDraws * std::exp(n * std::log(mean) - mean - std::lgamma(n + 1));
  }
  double sum = 0, squares = 0;
  for (uint32_t draw = 0; draw < kDraws; ++draw) {
    const double k = poisson(3, 9, draw, mean);
    seen[cell(k)] += 1;
    sum += k - mean, squares += (k - mean) * (k - mean);
  }
  double chi_square = 0, degrees = -1;
  for (int64_t c = 0; c < cells; ++c) {
    if (expected[c] > 10) {
      chi_square += (seen[c] - expected[c]) * (seen[c] - expected[c]) / expected[c], degrees += 1;
    }
  }
  EXPECT_LT(chi_square, degrees + 5 * std::sqrt(2 * degrees + 4)) << degrees;  // five standard deviations
  EXPECT_LT(std::abs(sum), 5 * std::sqrt(mean * kDraws));
  // the fourth central moment is mean + 3 mean²
  EXPECT_LT(std::abs(squares - mean * kDraws), 5 * std::sqrt((mean + 2 * mean * mean) * kDraws));
}
INSTANTIATE_TEST_SUITE_P(Means, PoissonMean, testing::Values(0.01, 0.5, 3.0, 9.99, 10.0, 11.0, 40.0, 1000.0, 1e5));

TEST(Poisson, NeverIsNegativeAndEndsForExtremeMeans) {
  EXPECT_EQ(poisson(1, 1, 1, 0), 0);
  EXPECT_EQ(poisson(1, 1, 1, 1e-300), 0);
  for (uint32_t draw = 0; draw < 1000; ++draw) {
    const double k = poisson(1, 2, draw, 1e12);
    EXPECT_LT(std::abs(k - 1e12), 6e6);
    EXPECT_EQ(k, std::floor(k));
    EXPECT_GE(poisson(1, 3, draw, 10), 0);
  }
}

}  // namespace
