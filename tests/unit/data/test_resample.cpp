#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/base/random.hpp>
#include <unchannel/data/spectra/log_lambda_grid.hpp>
#include <unchannel/data/spectra/resample.hpp>

namespace unchannel {
namespace {

// Survey-like pixels: steps of 1e-4 in log10, ivar from `ivar_of(k)`.
template <class Flux, class Ivar>
SpectrumPixels survey_pixels(std::size_t count, Flux&& flux_of, Ivar&& ivar_of) {
  std::vector<double> centres(count);
  SpectrumPixels pixels{{}, {}, std::vector<double>(count), std::vector<double>(count), std::vector<std::uint8_t>(count, 1)};
  for (std::size_t k = 0; k < count; ++k) {
    centres[k] = std::pow(10.0, 3.55 + 1e-4 * static_cast<double>(k));
    pixels.flux[k] = flux_of(k, centres[k]);
    pixels.ivar[k] = ivar_of(k);
  }
  set_edges(centres, pixels);
  return pixels;
}

double integral(const SpectrumPixels& pixels, double low, double high) {
  double sum = 0;
  for (std::size_t k = 0; k < pixels.flux.size(); ++k) {
    sum += pixels.flux[k] * std::max(0.0, std::min(high, pixels.upper[k]) - std::max(low, pixels.lower[k]));
  }
  return sum;
}

double integral(const ResampledSpectrum& spectrum, const std::vector<double>& edges) {
  double sum = 0;
  for (std::size_t k = 0; k < spectrum.flux.size(); ++k) sum += spectrum.flux[k] * (edges[k + 1] - edges[k]);
  return sum;
}

TEST(LogLambdaGrid, HasEqualStepsAndExactEnds) {
  const auto grid = log_lambda_grid(4000, 5320, 1024);
  EXPECT_EQ(grid.front(), 4000);
  EXPECT_EQ(grid.back(), 5320);
  EXPECT_TRUE(is_log_linear(grid, 1e-9));
  const auto edges = log_lambda_edges(grid);
  for (std::size_t k = 0; k < grid.size(); ++k) EXPECT_NEAR(std::sqrt(edges[k] * edges[k + 1]), grid[k], 1e-9 * grid[k]);
  EXPECT_THROW(log_lambda_grid(5000, 4000, 10), ConfigError);
  EXPECT_THROW(log_lambda_grid(4000, 5000, 1), ConfigError);
  EXPECT_THROW(log_lambda_grid(4000, NAN, 10), ConfigError);
  EXPECT_FALSE(is_log_linear({1, 2, 3, 4}));
}

TEST(Resample, ConstantStaysConstantWhateverTheWeights) {
  const auto pixels = survey_pixels(
      2000, [](auto, auto) { return 3.0; }, [](std::size_t k) { return 0.1 + static_cast<double>(k * 7919 % 100); });
  const auto edges = log_lambda_edges(log_lambda_grid(3600, 5400, 777));
  const auto result = resample(pixels, edges);
  for (std::size_t k = 0; k < result.flux.size(); ++k) {
    ASSERT_EQ(result.mask[k], 0);
    EXPECT_NEAR(result.flux[k], 3.0, 1e-12);
  }
}

TEST(Resample, FluxIsConservedExactlyUnderUniformErrors) {
  const auto pixels = survey_pixels(
      2000, [](std::size_t k, double) { return std::sin(static_cast<double>(k * k)); }, [](auto) { return 2.0; });
  for (const std::size_t size : {60u, 777u, 3000u}) {
    const auto edges = log_lambda_edges(log_lambda_grid(3600, 5400, size));
    EXPECT_NEAR(integral(resample(pixels, edges), edges), integral(pixels, edges.front(), edges.back()), 1e-9) << size;
  }
}

TEST(Resample, FluxOfLinesIsConservedToOneInAThousandUnderRealisticErrors) {
  // Emission lines of 10 Å on a slope; ivar with a trend of a factor of ten and narrow sky-line dips of a factor of ten.
  const auto pixels = survey_pixels(
      2000,
      [](std::size_t, double wavelength) {
        double flux = 2 - wavelength / 5000;
        for (double line = 3700; line < 5300; line += 130) flux += 5 * std::exp(-0.5 * std::pow((wavelength - line) / 10, 2));
        return flux;
      },
      [](std::size_t k) { return (1 + static_cast<double>(k) / 200) * (k % 83 < 3 ? 0.1 : 1.0); });
  for (const std::size_t size : {256u, 1024u, 3000u}) {
    const auto edges = log_lambda_edges(log_lambda_grid(3600, 5400, size));
    const double before = integral(pixels, edges.front(), edges.back());
    EXPECT_NEAR(integral(resample(pixels, edges), edges), before, 1e-3 * before) << size;
  }
}

TEST(Resample, BadAndMissingPixelsAreMaskedAndHoldZero) {
  auto pixels = survey_pixels(
      2000, [](auto, auto) { return 1.0; }, [](auto) { return 4.0; });
  for (std::size_t k = 1000; k < 1020; ++k) {
    pixels.good[k] = 0;
    pixels.flux[k] = 1e30;  // must not leak
  }
  const auto edges = log_lambda_edges(log_lambda_grid(3400, 5000, 1500));  // begins before the data
  const auto result = resample(pixels, edges);
  for (std::size_t k = 0; k < result.flux.size(); ++k) {
    const bool before = edges[k + 1] < pixels.lower[0];
    const bool in_gap = edges[k] > pixels.lower[1000] && edges[k + 1] < pixels.upper[1019];
    if (before || in_gap) {
      EXPECT_EQ(result.mask[k], 1);
    }
    EXPECT_EQ(result.flux[k], result.mask[k] ? 0.0 : 1.0);
    EXPECT_EQ(result.ivar[k] > 0, result.mask[k] == 0);
  }
}

TEST(Resample, GapsBetweenPixelsAreNotBridged) {
  const std::vector<double> centres{100, 101, 102, 120, 121, 122};
  SpectrumPixels pixels{{}, {}, std::vector<double>(6, 1.0), std::vector<double>(6, 1.0), std::vector<std::uint8_t>(6, 1)};
  set_edges(centres, pixels);
  EXPECT_LT(pixels.upper[2], 103);
  EXPECT_GT(pixels.lower[3], 119);
}

// Averages over many output pixels must have the error that the output ivar promises: Var(Σ w_k f_k / Σ w_k) = 1/Σ ivar_k for w = ivar,
// since each input pixel's information is dealt out once. 2,000 noise draws: relative error of a variance 1/sqrt(1000); 5 of them.
TEST(Resample, AveragesHaveTheErrorTheInverseVariancesPromise) {
  constexpr std::size_t kInput = 400;
  constexpr int kDraws = 2000;
  auto pixels = survey_pixels(
      kInput, [](auto, auto) { return 0.0; }, [](std::size_t k) { return k < 200 ? 4.0 : 1.0; });
  const auto edges = log_lambda_edges(log_lambda_grid(3560, 3850, 411));
  double sum_squares = 0, promised = 0;
  for (int draw = 0; draw < kDraws; ++draw) {
    std::vector<float> noise(kInput);
    RandomKey(8).normal(static_cast<std::uint64_t>(draw), 0, kInput, noise.data());
    for (std::size_t k = 0; k < kInput; ++k) pixels.flux[k] = static_cast<double>(noise[k]) / std::sqrt(pixels.ivar[k]);
    const auto result = resample(pixels, edges);
    double weight = 0, mean = 0;
    for (std::size_t k = 0; k < result.flux.size(); ++k) {
      weight += result.ivar[k];
      mean += result.ivar[k] * result.flux[k];
    }
    sum_squares += mean * mean / weight / weight;
    promised = 1 / weight;
  }
  EXPECT_NEAR(sum_squares / kDraws / promised, 1.0, 5 * std::sqrt(2.0 / kDraws));
}

}  // namespace
}  // namespace unchannel
