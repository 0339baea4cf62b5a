#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "bootstrap.hpp"

// Shape legend: N objects · D pixels · wavelengths in vacuum, angstrom
namespace unchannel::metrics {

/// An emission line and the rest-frame window in which its peak is looked for. The window is cut at the ends of the spectrum.
struct LineWindow {
  std::string name;
  double rest_wavelength_angstrom = 0;
  double window_min_angstrom = 0;
  double window_max_angstrom = 0;
};

/// Lyman α, 1215.67 Å with the window 1150–1300 Å: wide enough that a wrong peak (N V, noise) is found and counts as an error.
LineWindow lyman_alpha();

/// The strong broad lines of quasars, 1216–2799 Å (laboratory vacuum wavelengths of Vanden Berk et al. 2001, table 2).
std::vector<LineWindow> quasar_lines();

/// Peak places and heights of one line, restored against truth, over the objects that have it in coverage.
struct PeakComparison {
  std::string name;
  std::int64_t objects = 0;              ///< all
  std::int64_t in_coverage = 0;          ///< those used
  Estimate fraction_within;              ///< share with |velocity error| ≤ the limit (± bootstrap s.e.)
  double limit_km_s = 0;
  double median_abs_velocity_km_s = 0;
  double median_height_error = 0;        ///< signed, relative
  double rms_height_error = 0;           ///< relative
  at::Tensor velocity_error_km_s_N;      ///< [N] float64, restored − truth, NaN out of coverage
  at::Tensor height_error_N;             ///< [N] float64, (restored − truth)/|truth|, each at its own peak, NaN out of coverage
};

/// The peak is the largest pixel in the window (the first of equals). Velocity error = c (ln λ_restored − ln λ_truth).
/// In coverage: the line's wavelength and 3,000 km/s either side of it lie on the grid.
/// wavelength_D [D] increasing, observed frame; redshift_N [N], or undefined for spectra in the rest frame; restored and truth [N, D].
/// Throws ShapeError, DataError (not finite, wavelengths not increasing and positive, redshift ≤ −1; a NaN one is unknown: out of coverage).
PeakComparison compare_peaks(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& wavelength_D,
                             const at::Tensor& redshift_N, const LineWindow& line, double limit_km_s = 500);

}  // namespace unchannel::metrics
