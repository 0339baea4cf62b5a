// Projections and reconstructions of the plugin against phantoms with known projections, through the plugin interface.
#include <gtest/gtest.h>

#include "tomography_support.hpp"

namespace {

using namespace unchannel::test;

std::map<std::string, Channel::Value> settings(const Scan& scan, std::map<std::string, Channel::Value> more = {}) {
  more.insert({{"views", scan.views},
               {"detector_bins", scan.bins},
               {"angle_start_degree", scan.start_degree},
               {"angle_range_degree", scan.range_degree},
               {"detector_pitch", scan.pitch},
               {"detector_offset", scan.offset},
               {"noise", std::string("none")}});
  return more;
}

Array<float> image_of(const Phantom& phantom, int64_t pixels) { return one({1, pixels, pixels}, phantom.image(pixels)); }

struct Case {
  const char* name;
  Scan scan;
  double tolerance;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Scanner : public testing::TestWithParam<Case> {};

/// The spectrum of (1 - r²)² in an ellipse falls like |k|^(-7/2). Beyond the Nyquist frequency pi of the pixels there is less than 1e-4 of
/// its norm for half-axes of 6 pixels and more.
TEST_P(Scanner, ProjectionsOfSmoothEllipsesAreAnalytic) {
  const Phantom phantom = head(128, 2);
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({128, 128}, settings(GetParam().scan)), UNCHANNEL_OK) << channel.error;
  EXPECT_LT(relative_error(channel.mean(image_of(phantom, 128), {}).values, GetParam().scan.of(phantom).values), GetParam().tolerance);
}
INSTANTIATE_TEST_SUITE_P(Geometries, Scanner,
                         testing::Values(Case{"usual", {45, 128}, 1e-4}, Case{"negative_angles", {13, 129, -200, 360}, 1e-4},
                                         Case{"limited", {20, 128, 30, 60}, 1e-4}, Case{"fine_bins", {11, 300, 0, 180, 0.6}, 1e-4},
                                         Case{"coarse_bins", {11, 61, 0, 180, 2.7}, 1e-4}, Case{"interior", {11, 20, 0, 180, 1, 7.3}, 1e-4},
                                         Case{"far_too_wide", {5, 700, 0, 180, 1, -20}, 1e-4}),
                         [](const auto& tested) { return std::string(tested.param.name); });

/// A disc of radius R has the spectrum 2 pi R J1(kR) / k. The share of a projection's energy beyond k = pi is 3 / (8 (pi R)²), and about as
/// much comes in as aliases of the pixel averages; averaging over bins of one pixel, sinc²(k / 2), leaves 0.23 of it. Together the relative
/// L2 error is 0.3 / R (0.9e-3 at R = 102), whatever the projector.
TEST(Tomography, ProjectionsOfSharpDiscsAreWithinTheirBandLimit) {
  for (const int64_t pixels : {64, 256}) {
    const double radius = 0.42 * static_cast<double>(pixels);
    const Phantom disc{{{1.3, -2.1, radius, radius, 0, 1}}, 0};
    const Scan scan{60, pixels};
    Channel channel(kTomography);
    ASSERT_EQ(channel.configure({pixels, pixels}, settings(scan)), UNCHANNEL_OK);
    const double error = relative_error(channel.mean(image_of(disc, pixels), {}).values, scan.of(disc).values);
    EXPECT_LT(error, 0.3 / radius) << pixels;
    EXPECT_LT(error, pixels == 256 ? 1e-3 : 1) << pixels;
  }
}

TEST(Tomography, SumsColumnsAtZeroAndRowsAtNinetyDegrees) {
  constexpr int64_t kPixels = 32;
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({kPixels, kPixels}, settings({2, kPixels})), UNCHANNEL_OK);
  const auto x = random_array(1, {1, kPixels, kPixels});
  const auto y = channel.mean(x, {});
  for (int64_t b = 0; b < kPixels; ++b) {
    double column = 0, row = 0;
    for (int64_t i = 0; i < kPixels; ++i) {
      column += static_cast<double>(x.values[i * kPixels + b]);
      row += static_cast<double>(x.values[(kPixels - 1 - b) * kPixels + i]);  // s = y, upwards
    }
    // Pixel and bin footprints cancel, and the rows are a DFT of the zero-padded sums: exact up to image_grid.hpp's 2e-6 of |F| = 32.
    EXPECT_NEAR(y.row(0)[b], column, 1e-4) << b;
    EXPECT_NEAR(y.row(0)[kPixels + b], row, 1e-4) << b;
  }
}

TEST(Tomography, PixelSizeIsALengthAndNothingElse) {
  constexpr int64_t kPixels = 24;
  Channel pixels(kTomography), centimetres(kTomography);
  ASSERT_EQ(pixels.configure({kPixels, kPixels}, settings({10, 20, 0, 180, 1.5, 2})), UNCHANNEL_OK);
  ASSERT_EQ(centimetres.configure({kPixels, kPixels}, settings({10, 20, 0, 180, 0.375, 0.5}, {{"pixel_size", 0.25}})), UNCHANNEL_OK);
  const auto x = random_array(2, {1, kPixels, kPixels});
  auto y = pixels.mean(x, {});
  auto lifted = pixels.lift(y, {});
  for (float& value : y.values) {
    value *= 0.25F;
  }
  EXPECT_EQ(centimetres.mean(x, {}).values, y.values);  // powers of two: exact
  EXPECT_EQ(centimetres.lift(y, {}).values, lifted.values);
}

TEST(Tomography, TakesAPlaneInFrontAndTheWholeDiagonalByDefault) {
  Channel plain(kTomography), planed(kTomography);
  ASSERT_EQ(plain.configure({32, 32}), UNCHANNEL_OK);
  ASSERT_EQ(planed.configure({1, 32, 32}), UNCHANNEL_OK);
  EXPECT_EQ(plain.y_shape, (std::vector<int64_t>{180, 46}));  // 32 sqrt 2 = 45.3
  EXPECT_EQ(planed.y_shape, plain.y_shape);
  auto x = random_array(3, {1, 32, 32});
  const auto y = plain.simulate(1, x, {});
  EXPECT_EQ(planed.simulate(1, one({1, 1, 32, 32}, x.values), {}).values, y.values);
}

class Adjoint : public testing::TestWithParam<Case> {};

TEST_P(Adjoint, IsTheTransposeOfMeanAndEqualsVjp) {
  constexpr int64_t kPixels = 50;
  const Scan& scan = GetParam().scan;
  Channel channel(kTomography);
  ASSERT_EQ(channel.configure({kPixels, kPixels}, settings(scan)), UNCHANNEL_OK);
  const auto u = random_array(1, {2, kPixels, kPixels}), v = random_array(2, {2, scan.views, scan.bins});
  const auto mean = channel.mean(u, {});
  const auto back = adjoint(channel, v, {2, kPixels, kPixels});
  EXPECT_NEAR(dot(mean.values, v.values), dot(u.values, back.values), 1e-6 * norm(mean.values) * norm(v.values));  // float32 rounding
  EXPECT_EQ(channel.vjp(u, v, {}).values, back.values);
  EXPECT_EQ(jvp(channel, random_array(9, {2, kPixels, kPixels}), u).values, mean.values);
}
INSTANTIATE_TEST_SUITE_P(Geometries, Adjoint,
                         testing::Values(Case{"usual", {30, 50}, 0}, Case{"all_round", {13, 71, -200, 360}, 0},
                                         Case{"fine_bins", {11, 100, 0, 180, 0.6}, 0}, Case{"coarse_bins", {11, 20, 3, 180, 2.7}, 0},
                                         Case{"interior", {11, 9, 0, 180, 1, 7.3}, 0}),
                         [](const auto& tested) { return std::string(tested.param.name); });

}  // namespace
