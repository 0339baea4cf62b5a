#include "normal_quantile.hpp"

#include <cmath>

namespace unchannel::metrics {

double normal_quantile(double p) {
  double low = -8, high = 8;
  while (high - low > 1e-9) {
    const double middle = (low + high) / 2;
    (0.5 * std::erfc(-middle / std::sqrt(2.0)) < p ? low : high) = middle;
  }
  return low;
}

}  // namespace unchannel::metrics
