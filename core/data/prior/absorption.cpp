#include "absorption.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "../spectra/log_lambda_grid.hpp"

namespace unchannel {
namespace {

// Range and density of the table A ↔ τ_eff; a step of 0.01 in ln A keeps linear interpolation within 1e-5.
constexpr double kLogAmplitudeMin = -14.0, kLogAmplitudeMax = 12.0, kLogAmplitudeStep = 0.01;
// The trapezoidal rule converges exponentially for an integrand that is smooth and vanishes at both ends.
constexpr double kQuadratureEnd = 10.0, kQuadratureStep = 0.05;

// ⟨exp(−A e^{s g})⟩ over g ~ N(0, 1).
double mean_transmission(double log_amplitude) {
  double sum = 0;
  for (double g = -kQuadratureEnd; g <= kQuadratureEnd; g += kQuadratureStep) {
    sum += std::exp(-0.5 * g * g - std::exp(log_amplitude + LymanForest::kLogWidth * g));
  }
  return sum * kQuadratureStep / std::sqrt(2 * std::numbers::pi);
}

// ⟨1 − exp(−A e^{s g})⟩, accurate where it is small.
double mean_absorption(double log_amplitude) {
  double sum = 0;
  for (double g = -kQuadratureEnd; g <= kQuadratureEnd; g += kQuadratureStep) {
    sum -= std::exp(-0.5 * g * g) * std::expm1(-std::exp(log_amplitude + LymanForest::kLogWidth * g));
  }
  return sum * kQuadratureStep / std::sqrt(2 * std::numbers::pi);
}

struct Line {
  double wavelength_angstrom;
  double strength;
};
constexpr Line kLines[] = {{1033.8, 1.0}, {kLymanAlphaAngstrom, 0.6}, {1240.8, 1.0}, {1396.8, 0.7}};
constexpr double kEdgeKmS = 300.0;

}  // namespace

LymanForest::LymanForest() {
  for (double log_amplitude = kLogAmplitudeMin; log_amplitude <= kLogAmplitudeMax; log_amplitude += kLogAmplitudeStep) {
    const double absorbed = mean_absorption(log_amplitude);
    const double tau = absorbed < 0.5 ? -std::log1p(-absorbed) : -std::log(mean_transmission(log_amplitude));
    log_tau_.push_back(std::log(tau));
    log_amplitude_.push_back(log_amplitude);
  }
}

double LymanForest::mean_optical_depth(double absorber_redshift) { return 0.0023 * std::pow(1 + absorber_redshift, 3.65); }

double LymanForest::amplitude(double mean_optical_depth) const {
  const double log_tau = std::clamp(std::log(mean_optical_depth), log_tau_.front(), log_tau_.back());
  const auto above = std::upper_bound(log_tau_.begin() + 1, log_tau_.end() - 1, log_tau);
  const auto k = static_cast<std::size_t>(above - log_tau_.begin()) - 1;
  const double weight = (log_tau - log_tau_[k]) / (log_tau_[k + 1] - log_tau_[k]);
  return std::exp((1 - weight) * log_amplitude_[k] + weight * log_amplitude_[k + 1]);
}

void LymanForest::absorb(const RandomKey& key, std::uint64_t id, double redshift, std::span<const double> wavelength_observed_D,
                         std::span<double> flux_D) const {
  const std::size_t size = wavelength_observed_D.size();
  std::vector<float> normals(size);
  key.normal(id, 0, static_cast<std::uint32_t>(size), normals.data());
  double g = 0;
  for (std::size_t k = 0; k < size; ++k) {
    // An exponential correlation is a Markov process: exact on any grid.
    const double correlation =
        k == 0 ? 0 : std::exp(-kSpeedOfLightKmS * std::log(wavelength_observed_D[k] / wavelength_observed_D[k - 1]) / kCorrelationKmS);
    g = correlation * g + std::sqrt(1 - correlation * correlation) * static_cast<double>(normals[k]);
    const double absorber = wavelength_observed_D[k] / kLymanAlphaAngstrom;  // 1 + z_abs
    if (absorber >= 1 + redshift) continue;
    flux_D[k] *= std::exp(-amplitude(mean_optical_depth(absorber - 1)) * std::exp(kLogWidth * g));
  }
}

BroadAbsorption::BroadAbsorption(const RandomKey& key, std::uint64_t id, double fraction) {
  float uniforms[4];
  key.uniform(id, 0, 4, uniforms);
  present_ = static_cast<double>(uniforms[0]) < fraction;
  if (!present_) return;
  const double width = 2000 + 8000 * static_cast<double>(uniforms[1]);
  velocity_low_km_s_ = 3000 + (22000 - width) * static_cast<double>(uniforms[2]);
  velocity_high_km_s_ = velocity_low_km_s_ + width;
  depth_ = 0.3 + 0.65 * static_cast<double>(uniforms[3]);
}

double BroadAbsorption::transmission(double rest_wavelength_angstrom) const {
  if (!present_) return 1;
  double factor = 1;
  for (const Line& line : kLines) {
    const double velocity = kSpeedOfLightKmS * std::log(line.wavelength_angstrom / rest_wavelength_angstrom);
    const double profile =
        0.5 * (std::tanh((velocity - velocity_low_km_s_) / kEdgeKmS) - std::tanh((velocity - velocity_high_km_s_) / kEdgeKmS));
    factor *= 1 - depth_ * line.strength * profile;
  }
  return factor;
}

}  // namespace unchannel
