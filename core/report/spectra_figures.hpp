#pragma once

#include <ATen/core/Tensor.h>

#include <limits>
#include <string>
#include <vector>

#include "figure.hpp"

// Shape legend: N objects · D pixels
namespace unchannel::report {

/// What the pixels of a row are.
struct PixelAxis {
  std::vector<double> position;  ///< [D] Å, or pixel numbers where the data have no wavelengths
  bool is_wavelength = false;
  bool rest_frame = false;
  std::string medium;            ///< "vacuum" or "air"

  std::string label() const;
};

/// Pixel numbers 0 … dimension − 1.
PixelAxis pixel_numbers(std::size_t dimension);

/// One object to draw. Empty vectors are not drawn.
struct SpectrumExample {
  std::string name;
  double redshift = std::numeric_limits<double>::quiet_NaN();  ///< NaN: unknown, then there are no zooms on lines
  std::vector<double> observed, restored, truth;               ///< [D] data units
};

/// One row of panels per object: the whole spectrum, then zooms on (at most two) groups of emission lines in coverage: Ly β + O VI,
/// Ly α + N V, Si IV, C IV, C III]. Vacuum wavelengths.
Figure spectra_figure(const PixelAxis& axis, const std::vector<SpectrumExample>& examples, const std::string& flux_label);

/// Residuals y − Φ(y) of the observations beside F(Φ(y)) − Φ(y) of their re-simulations, both [N, D]: distribution over pixels in units
/// of the observations' RMS residual, and of the RMS per object. Pixels that are NaN (not observed) are left out.
Figure residual_figure(const at::Tensor& observed_residual_ND, const at::Tensor& simulated_residual_ND);

/// Histogram of p-values, with the uniform law they would follow were the restored signals the true ones.
Figure p_value_figure(const std::vector<double>& p_values);

/// Standard deviation over objects of one method's restorations, by pixel.
struct SpreadCurve {
  std::string label;
  std::vector<double> spread_D;
  Tone tone = Tone::kInk;
  Mark mark = Mark::kLine;
};

/// Spread of truth and restorations by pixel, and their ratios to the truth's.
Figure spread_figure(const PixelAxis& axis, const std::vector<double>& truth_spread_D, const std::vector<SpreadCurve>& curves);

/// A one-dimensional tensor of any floating type.
std::vector<double> to_vector(const at::Tensor& values_D);

}  // namespace unchannel::report
