// The noise of one detector bin and its density; shared by the CPU code and the CUDA kernels (C++17). Formulas: tomography.hpp.
#pragma once

#include <unchannel/sdk/poisson.hpp>

#include <cmath>
#include <cstdint>

namespace tomography {

using unchannel::sdk::log_factorial;
using unchannel::sdk::poisson;

constexpr double kNoPhoton = 0.5;      // counts
constexpr double kMostPhotons = 1e12;  // expected in a bin

enum class Noise { kNone, kGaussian, kPoisson };

/// Photons expected behind a line integral; more than kMostPhotons (or NaN) are outside of what the channel models.
UNCHANNEL_HD inline double expected_photons(double photon_count, float line_integral) {
  return photon_count * std::exp(-static_cast<double>(line_integral));
}
UNCHANNEL_HD inline bool countable(double expected) { return expected <= kMostPhotons; }

/// What a bin that counted so many photons reads.
UNCHANNEL_HD inline float reading(double photon_count, double counts) {
  return static_cast<float>(std::log(photon_count / (counts < kNoPhoton ? kNoPhoton : counts)));
}

/// ln p(y | m) of one bin without the constants, and what replaces m: its derivative with respect to m.
struct Score {
  double value;
  float derivative;
};
/// value: the squared residual; the log density is -precision / 2 of the sum.
UNCHANNEL_HD inline Score gaussian_score(double precision, float y, float mean) {
  const double residual = static_cast<double>(y) - static_cast<double>(mean);
  return {residual * residual, static_cast<float>(precision * residual)};
}
UNCHANNEL_HD inline double gaussian_log_density(double precision, int64_t bins, double squares) {
  constexpr double kPi = 3.14159265358979323846;
  return 0.5 * (static_cast<double>(bins) * std::log(precision / (2 * kPi)) - precision * squares);
}
UNCHANNEL_HD inline Score poisson_score(double photon_count, double expected, float y, float mean) {
  const double seen = photon_count * std::exp(-static_cast<double>(y));
  const double counts = seen < kNoPhoton * (1 + 1e-5) ? 0 : seen;  // y is rounded to float32
  return {counts * (std::log(photon_count) - static_cast<double>(mean)) - expected - log_factorial(counts),
          static_cast<float>(expected - counts)};
}

}  // namespace tomography
