#include "statistics.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unchannel::report {

Histogram histogram(std::span<const double> values, double low, double high, std::size_t bins) {
  const double width = (high - low) / static_cast<double>(bins);
  Histogram result;
  for (std::size_t b = 0; b < bins; ++b) result.centre.push_back(low + (static_cast<double>(b) + 0.5) * width);
  result.density.assign(bins, 0.0);
  if (values.empty()) return result;
  for (const double value : values) {
    if (!(value >= low && value <= high)) continue;
    result.density[std::min(bins - 1, static_cast<std::size_t>((value - low) / width))] += 1;
  }
  for (double& density : result.density) density /= static_cast<double>(values.size()) * width;
  return result;
}

double quantile(std::vector<double> values, double q) {
  std::erase_if(values, [](double value) { return !std::isfinite(value); });
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  const double place = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(place);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const double lower = values[static_cast<std::size_t>(below)];
  if (below + 1 == static_cast<std::ptrdiff_t>(values.size())) return lower;
  const double upper = *std::min_element(values.begin() + below + 1, values.end());
  return lower + (place - static_cast<double>(below)) * (upper - lower);
}

}  // namespace unchannel::report
