#pragma once

#include <cstddef>
#include <vector>

namespace unchannel {

constexpr double kSpeedOfLightKmS = 299792.458;

/// Wavelengths with equal steps in ln λ, both ends included: λ_k = λ_min (λ_max/λ_min)^(k/(D−1)), k = 0 … D−1, in Å.
/// Throws ConfigError unless 0 < min < max (finite) and 2 ≤ pixels ≤ 2^24.
std::vector<double> log_lambda_grid(double wavelength_min_angstrom, double wavelength_max_angstrom, std::size_t pixels);

/// Edges [D+1] of the pixels whose centres are given (increasing, positive): geometric means between neighbours, the outer
/// edges mirror the nearest inner one.
std::vector<double> log_lambda_edges(const std::vector<double>& centres_angstrom);

/// True when the steps in ln λ are equal to `tolerance` of a step.
bool is_log_linear(const std::vector<double>& centres_angstrom, double tolerance = 1e-3);

}  // namespace unchannel
