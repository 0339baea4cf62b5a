#include "log_lambda_grid.hpp"

#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel {

std::vector<double> log_lambda_grid(double wavelength_min_angstrom, double wavelength_max_angstrom, std::size_t pixels) {
  check<ConfigError>(
      std::isfinite(wavelength_max_angstrom) && wavelength_min_angstrom > 0 && wavelength_min_angstrom < wavelength_max_angstrom,
      "wavelength range {} … {} angstrom: the limits must be positive and increasing.", wavelength_min_angstrom, wavelength_max_angstrom);
  check<ConfigError>(pixels >= 2 && pixels <= (std::size_t{1} << 24), "{} pixels: a grid has 2 to 16777216.", pixels);
  std::vector<double> grid(pixels);
  const double start = std::log(wavelength_min_angstrom);
  const double step = (std::log(wavelength_max_angstrom) - start) / static_cast<double>(pixels - 1);
  for (std::size_t k = 0; k < pixels; ++k) grid[k] = std::exp(start + step * static_cast<double>(k));
  grid.front() = wavelength_min_angstrom;  // exactly, not to rounding
  grid.back() = wavelength_max_angstrom;
  return grid;
}

std::vector<double> log_lambda_edges(const std::vector<double>& centres_angstrom) {
  const std::size_t size = centres_angstrom.size();
  check<ConfigError>(size >= 2, "a wavelength grid of {} pixels has no edges; it needs at least 2.", size);
  std::vector<double> edges(size + 1);
  for (std::size_t k = 1; k < size; ++k) edges[k] = std::sqrt(centres_angstrom[k - 1] * centres_angstrom[k]);
  edges.front() = centres_angstrom.front() * centres_angstrom.front() / edges[1];
  edges.back() = centres_angstrom.back() * centres_angstrom.back() / edges[size - 1];
  return edges;
}

bool is_log_linear(const std::vector<double>& centres_angstrom, double tolerance) {
  const std::size_t size = centres_angstrom.size();
  if (size < 2) return false;
  const double start = std::log(centres_angstrom.front());
  const double step = (std::log(centres_angstrom.back()) - start) / static_cast<double>(size - 1);
  for (std::size_t k = 0; k < size; ++k) {
    if (std::abs(std::log(centres_angstrom[k]) - start - step * static_cast<double>(k)) > tolerance * step) return false;
  }
  return true;
}

}  // namespace unchannel
