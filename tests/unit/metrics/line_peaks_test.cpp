#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/line_peaks.hpp>

#include "samples.hpp"

namespace unchannel::metrics {
namespace {

constexpr double kC = 299792.458;

at::Tensor log_grid(std::int64_t pixels) { return at::linspace(std::log(4000.0), std::log(5320.0), pixels, at::kDouble).exp(); }

// One Gaussian line of the given height at pixel `centre` for each row, on a continuum of 1.
at::Tensor lines_at(const std::vector<int>& centres, double height) {
  const at::Tensor pixel = at::arange(1024, at::kDouble).unsqueeze(0);
  const at::Tensor centre = at::tensor(std::vector<double>(centres.begin(), centres.end())).unsqueeze(1);
  return (1 + height * (-(pixel - centre).square() / 200).exp()).to(at::kFloat);
}

// Redshift that puts Lyman α on a pixel.
at::Tensor redshifts(const std::vector<int>& centres) {
  std::vector<double> z;
  const at::Tensor grid = log_grid(1024);
  for (int c : centres) z.push_back(grid[c].item<double>() / 1215.67 - 1);
  return at::tensor(z, at::kDouble);
}

TEST(LinePeaks, AShiftByPixelsIsThatVelocity) {
  const std::vector<int> centres{400, 500, 600};
  const PeakComparison result = compare_peaks(lines_at({403, 500, 590}, 2), lines_at(centres, 2), log_grid(1024), redshifts(centres), lyman_alpha());
  const double pixel_km_s = kC * std::log(5320.0 / 4000.0) / 1023;  // 83.6
  EXPECT_NEAR(result.velocity_error_km_s_N[0].item<double>(), 3 * pixel_km_s, 1e-6);
  EXPECT_NEAR(result.velocity_error_km_s_N[1].item<double>(), 0, 1e-6);
  EXPECT_NEAR(result.velocity_error_km_s_N[2].item<double>(), -10 * pixel_km_s, 1e-6);
  EXPECT_NEAR(result.fraction_within.value, 2.0 / 3, 1e-12);
  EXPECT_EQ(result.in_coverage, 3);
}

TEST(LinePeaks, HeightErrorIsRelativeToTheTruePeak) {
  const std::vector<int> centres{400, 600};
  const PeakComparison result = compare_peaks(lines_at(centres, 1), lines_at(centres, 3), log_grid(1024), redshifts(centres), lyman_alpha());
  EXPECT_NEAR(result.median_height_error, -0.5, 1e-6);  // 2 against 4
  EXPECT_NEAR(result.rms_height_error, 0.5, 1e-6);
}

TEST(LinePeaks, APeakOutsideTheWindowIsNotTheLine) {
  const std::vector<int> centres{500};
  at::Tensor restored = lines_at(centres, 2);
  restored[0][10] = 100;  // a cosmic ray at rest 1055 Å
  const PeakComparison result = compare_peaks(restored, lines_at(centres, 2), log_grid(1024), redshifts(centres), lyman_alpha());
  EXPECT_NEAR(result.velocity_error_km_s_N[0].item<double>(), 0, 1e-6);
}

TEST(LinePeaks, ObjectsWithoutTheLineAreCountedOut) {
  const at::Tensor spectra = lines_at({300, 300, 300}, 2);
  const at::Tensor z = at::tensor({2.9, 2.0, 4.0}, at::kDouble);  // 4741 Å; 3647 Å and 6078 Å are off the grid
  const PeakComparison result = compare_peaks(spectra, spectra, log_grid(1024), z, lyman_alpha());
  EXPECT_EQ(result.objects, 3);
  EXPECT_EQ(result.in_coverage, 1);
  EXPECT_TRUE(std::isnan(result.velocity_error_km_s_N[1].item<double>()));
  const PeakComparison none = compare_peaks(spectra, spectra, log_grid(1024), at::full({3}, 9.0, at::kDouble), lyman_alpha());
  EXPECT_EQ(none.in_coverage, 0);
  EXPECT_TRUE(std::isnan(none.fraction_within.value));
}

TEST(LinePeaks, AnObjectOfUnknownRedshiftIsCountedOut) {
  const at::Tensor spectra = lines_at({300, 300}, 2);
  const at::Tensor z = at::tensor({2.9, std::nan("")}, at::kDouble);
  const PeakComparison result = compare_peaks(spectra, spectra, log_grid(1024), z, lyman_alpha());
  EXPECT_EQ(result.in_coverage, 1);
  EXPECT_EQ(result.fraction_within.value, 1);
  EXPECT_TRUE(std::isnan(result.velocity_error_km_s_N[1].item<double>()));
}

TEST(LinePeaks, RestFrameSpectraNeedNoRedshift) {
  const at::Tensor grid = at::linspace(std::log(1030.0), std::log(1415.0), 1024, at::kDouble).exp();
  const at::Tensor spectra = lines_at({534, 540}, 2);
  EXPECT_EQ(compare_peaks(spectra, spectra, grid, {}, lyman_alpha()).in_coverage, 2);
}

TEST(LinePeaks, BadInputIsNamed) {
  const at::Tensor x = lines_at({500}, 1), z = at::full({1}, 3.0, at::kDouble);
  EXPECT_THROW(compare_peaks(x, x, log_grid(1023), z, lyman_alpha()), ShapeError);
  EXPECT_THROW(compare_peaks(x, x, log_grid(1024), at::zeros({2}), lyman_alpha()), ShapeError);
  EXPECT_THROW(compare_peaks(x, x, log_grid(1024).flip(0), z, lyman_alpha()), DataError);
  EXPECT_THROW(compare_peaks(x, x, log_grid(1024), at::full({1}, -1.0), lyman_alpha()), DataError);
}

}  // namespace
}  // namespace unchannel::metrics
