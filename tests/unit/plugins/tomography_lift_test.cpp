// lift/1 of the tomography plugin: reconstructions from the analytic projections of phantoms, so that no error of the projector can hide.
#include <gtest/gtest.h>

#include "tomography_support.hpp"

namespace {

using namespace unchannel::test;

constexpr int64_t kPixels = 128;

std::vector<float> lifted(const Scan& scan, const Phantom& phantom, const std::string& lift, const std::string& filter = "ramp") {
  Channel channel(kTomography);
  if (channel.configure({kPixels, kPixels}, {{"views", scan.views},
                                             {"detector_bins", scan.bins},
                                             {"angle_start_degree", scan.start_degree},
                                             {"angle_range_degree", scan.range_degree},
                                             {"detector_pitch", scan.pitch},
                                             {"detector_offset", scan.offset},
                                             {"lift", lift},
                                             {"filter", filter}}) != UNCHANNEL_OK) {
    throw std::runtime_error(channel.error);
  }
  return channel.lift(scan.of(phantom), {}).values;
}

double error(const Scan& scan, const Phantom& phantom, const std::string& lift, const std::string& filter = "ramp") {
  return relative_error_in_circle(lifted(scan, phantom, lift, filter), phantom.image(kPixels));
}

class Lift : public testing::TestWithParam<std::string> {};

/// pi N / 2 = 201 views resolve every direction of an image of N pixels across. What remains is float32 and the spectrum beyond Nyquist.
TEST_P(Lift, InvertsProjectionsOfSmoothEllipses) {
  const Phantom phantom = head(kPixels, 2);
  EXPECT_LT(error({202, 128}, phantom, GetParam()), 1e-3);
  EXPECT_LT(error({202, 182, 17.3}, phantom, GetParam()), 1e-3);
  EXPECT_LT(error({404, 128, -90, 360}, phantom, GetParam()), 1e-3);         // every direction twice
  EXPECT_LT(error({303, 128, 5, 270}, phantom, GetParam()), 1e-3);           // some of them twice
  EXPECT_LT(error({202, 140, 0, 180, 1, 2.25}, phantom, GetParam()), 1e-3);  // detector off centre
  EXPECT_LT(error({202, 256, 0, 180, 0.5, 0}, phantom, GetParam()), 1e-3);   // finer than the pixels
}

/// Of a disc's energy 2 / (pi² R) lies beyond |k| = pi (its spectrum is 2 pi R J1(kR) / k), in the corners of the square that the pixels
/// hold and no bin of one pixel sees, or comes in as aliases. Averaging over pixels multiplies its power by 0.4 at |k| = pi and by ever
/// less beyond, 0.2 on the whole: 0.45 of the norm.
TEST_P(Lift, ErrorOfASharpDiscIsItsBandLimit) {
  for (const double radius : {25.0, 51.0}) {
    EXPECT_LT(error({202, 128}, {{{1.3, -2.1, radius, radius, 0, 1}}, 0}, GetParam()),
              0.45 * std::sqrt(2 / (std::numbers::pi * std::numbers::pi * radius)));
  }
}

TEST_P(Lift, KeepsTheAmountOfMatter) {
  const Phantom phantom = head(kPixels, 0);
  const auto image = lifted({180, 128}, phantom, GetParam());
  double sum = 0, expected = 0;
  const auto truth = phantom.image(kPixels);
  for (int64_t i = 0; i < kPixels; ++i) {
    for (int64_t j = 0; j < kPixels; ++j) {
      if (std::hypot(static_cast<double>(i) - 63.5, static_cast<double>(j) - 63.5) < 62) {
        sum += static_cast<double>(image[i * kPixels + j]), expected += static_cast<double>(truth[i * kPixels + j]);
      }
    }
  }
  EXPECT_NEAR(sum, expected, 1e-3 * expected);
}

/// Views over 60° measure the wave vectors within 60° and no others.
TEST_P(Lift, LimitedAngleRecoversEdgesItHasSeenAndNoOthers) {
  const auto stripes = [](double phi) {  // a long ellipse's edges are those across its short axis
    return Phantom{{{0, 0, 50, 6, phi, 1}}, 2};
  };
  // Wave vectors of a long ellipse along phi point to phi + 90°: seen (0 … 60°) for phi = -60°, unseen for phi = 30°.
  const Scan scan{70, 128, 0, 60};
  EXPECT_LT(error(scan, stripes(-60 * std::numbers::pi / 180), GetParam()), 0.4);
  EXPECT_GT(error(scan, stripes(30 * std::numbers::pi / 180), GetParam()), 0.8);
}
INSTANTIATE_TEST_SUITE_P(Kinds, Lift, testing::Values("filtered_back_projection", "fourier_slice"));

TEST(TomographyLift, FiltersAreOrderedBySharpnessAndNoise) {
  Channel channel(kTomography);
  const Scan scan{202, 128};
  const auto noise = random_array(5, {1, scan.views, scan.bins});
  std::vector<double> blur, noises;
  for (const char* filter : {"ramp", "shepp_logan", "hann"}) {
    blur.push_back(error(scan, head(kPixels, 2), "filtered_back_projection", filter));
    ASSERT_EQ(channel.configure({kPixels, kPixels}, {{"views", scan.views}, {"detector_bins", scan.bins}, {"filter", std::string(filter)}}),
              UNCHANNEL_OK);
    noises.push_back(norm(channel.lift(noise, {}).values));
  }
  EXPECT_LT(blur[0], blur[1]);
  EXPECT_LT(blur[1], blur[2]);
  // White noise keeps, of every direction, |k|² window² of its power, sampled in the plane with density 1 / |k| after |k|² weights: the
  // variance is proportional to the integral of u² window(u)² du over u = |k| / Nyquist.
  const auto power = [](auto&& window) {
    double sum = 0;
    for (int i = 0; i < 10000; ++i) {
      const double u = (i + 0.5) / 10000;
      sum += u * u * window(u) * window(u) / 10000;
    }
    return std::sqrt(sum);
  };
  const double pi = std::numbers::pi;
  const double ramp = power([](double) { return 1.0; });
  const double shepp_logan = power([pi](double u) { return std::sin(pi * u / 2) / (pi * u / 2); });
  const double hann = power([pi](double u) { return 0.5 * (1 + std::cos(pi * u)); });
  // The image's square cuts nothing below Nyquist; the sampling of 128² pixels and one realisation leave a few percent.
  EXPECT_NEAR(noises[1] / noises[0], shepp_logan / ramp, 0.03);
  EXPECT_NEAR(noises[2] / noises[0], hann / ramp, 0.03);
}

/// With few views filtered back-projection lets every view stand for the whole gap to the next one; the Fourier slice leaves it empty.
TEST(TomographyLift, FourierSliceMakesFewerStreaksFromFewViews) {
  const Phantom phantom = head(kPixels, 0);
  const Scan scan{20, 128};
  EXPECT_LT(error(scan, phantom, "fourier_slice"), 0.8 * error(scan, phantom, "filtered_back_projection"));
}

}  // namespace
