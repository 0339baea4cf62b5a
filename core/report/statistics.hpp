#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace unchannel::report {

/// Densities (area 1 when all values lie inside) at the centres of equal bins.
struct Histogram {
  std::vector<double> centre, density;
};

/// Values outside [low, high] and NaN are left out of the bins but count in the area. `bins` ≥ 1, low < high.
Histogram histogram(std::span<const double> values, double low, double high, std::size_t bins);

/// The q-quantile of the finite values (linear between order statistics); NaN when there are none. 0 ≤ q ≤ 1.
double quantile(std::vector<double> values, double q);

}  // namespace unchannel::report
