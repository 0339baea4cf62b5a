#include "resample.hpp"

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

// Median ivar of the kWeightWindow good pixels around each good pixel (fewer at the ends); 0 on bad ones.
std::vector<double> smooth_weights(const SpectrumPixels& pixels) {
  std::vector<std::size_t> good;
  for (std::size_t k = 0; k < pixels.good.size(); ++k) {
    if (pixels.good[k]) good.push_back(k);
  }
  std::vector<double> weights(pixels.good.size(), 0.0), window;
  for (std::size_t k = 0; k < good.size(); ++k) {
    const std::size_t begin = k - std::min(k, kWeightWindow / 2), end = std::min(good.size(), k + kWeightWindow / 2 + 1);
    window.clear();
    for (std::size_t n = begin; n < end; ++n) window.push_back(pixels.ivar[good[n]]);
    const auto middle = window.begin() + static_cast<std::ptrdiff_t>(window.size() / 2);
    std::nth_element(window.begin(), middle, window.end());
    weights[good[k]] = *middle;
  }
  return weights;
}

}  // namespace

void set_edges(std::span<const double> centres_angstrom, SpectrumPixels& pixels) {
  const std::size_t size = centres_angstrom.size();
  check<DataError>(size >= 2, "a spectrum of {} pixels has no pixel edges; it needs at least 2.", size);
  std::vector<double> steps(size - 1);
  for (std::size_t k = 0; k + 1 < size; ++k) steps[k] = std::log(centres_angstrom[k + 1] / centres_angstrom[k]);
  std::vector<double> sorted = steps;
  std::nth_element(sorted.begin(), sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2), sorted.end());
  const double typical = sorted[sorted.size() / 2];
  pixels.lower.resize(size);
  pixels.upper.resize(size);
  for (std::size_t k = 0; k < size; ++k) {
    const double below = k > 0 && steps[k - 1] <= 1.5 * typical ? steps[k - 1] : typical;
    const double above = k + 1 < size && steps[k] <= 1.5 * typical ? steps[k] : typical;
    pixels.lower[k] = centres_angstrom[k] * std::exp(-0.5 * below);
    pixels.upper[k] = centres_angstrom[k] * std::exp(0.5 * above);
  }
}

ResampledSpectrum resample(const SpectrumPixels& pixels, std::span<const double> edges_angstrom, double min_cover) {
  const std::size_t size = edges_angstrom.size() - 1;
  ResampledSpectrum result{std::vector<double>(size, 0.0), std::vector<double>(size, 0.0), std::vector<std::uint8_t>(size, 1)};
  const std::vector<double> smooth = smooth_weights(pixels);
  std::size_t first = 0;  // both axes increase, so one pass serves all
  for (std::size_t k = 0; k < size; ++k) {
    const double low = edges_angstrom[k], high = edges_angstrom[k + 1];
    while (first < pixels.lower.size() && pixels.upper[first] <= low) ++first;
    double cover = 0, weight_sum = 0, weighted_flux = 0, variance = 0;
    for (std::size_t i = first; i < pixels.lower.size() && pixels.lower[i] < high; ++i) {
      if (!pixels.good[i]) continue;
      const double overlap = std::min(high, pixels.upper[i]) - std::max(low, pixels.lower[i]);
      const double weight = overlap * smooth[i];
      cover += overlap;
      weight_sum += weight;
      weighted_flux += weight * pixels.flux[i];
      variance += weight * (pixels.upper[i] - pixels.lower[i]) * smooth[i] / pixels.ivar[i];
    }
    if (cover < min_cover * (high - low) || !(weight_sum > 0)) continue;
    result.flux[k] = weighted_flux / weight_sum;
    result.ivar[k] = weight_sum / variance * weight_sum;
    result.mask[k] = 0;
  }
  return result;
}

}  // namespace unchannel
