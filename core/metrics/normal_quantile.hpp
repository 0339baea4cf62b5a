#pragma once

namespace unchannel::metrics {

/// z with P(N(0, 1) < z) = p, 0 < p < 1, by bisection between −8 and 8; error below 1e-9.
double normal_quantile(double p);

}  // namespace unchannel::metrics
