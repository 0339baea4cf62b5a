// The pixels of a spectrum: equal in ln(wavelength).
#pragma once

#include <cmath>
#include <cstdint>

namespace spectrograph {

/// Pixel d has its centre at min (max / min)^(d / (pixels - 1)) angstrom; both ends are centres.
struct WavelengthGrid {
  double min_angstrom, max_angstrom;
  int64_t pixels;

  [[nodiscard]] double step() const { return std::log(max_angstrom / min_angstrom) / static_cast<double>(pixels - 1); }
  /// Place may be fractional: d - 1/2 and d + 1/2 are the edges of pixel d.
  [[nodiscard]] double angstrom(double place) const { return min_angstrom * std::exp(place * step()); }
};

}  // namespace spectrograph
