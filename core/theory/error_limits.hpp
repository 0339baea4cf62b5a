#pragma once

#include "recursion.hpp"

namespace unchannel::theory {

/// Least mean squared errors E|x − x̂|², squared data units, summed over the D elements, of restorations under the true signal and channel
/// (docs/theory/error_limits.md).
struct ErrorLimits {
  double posterior_mean = 0.0;           ///< E[x | y], least of all: tr P
  double distribution_preserving = 0.0;  ///< least among x̂(y) with the signal's law: tr P + W2²(signal, law of E[x | y])
  double ode_map = 0.0;                  ///< the schedule's transport with ε = 0
  double transport = 0.0;                ///< the configured transport
  double posterior_draw = 0.0;           ///< a draw from x | y: 2 tr P
  double transport_spread = 0.0;  ///< spread of the configured transport of one y against the posterior's: √(tr Q / tr P); 1 would be right
};
ErrorLimits error_limits(const GaussianProblem& problem);

}  // namespace unchannel::theory
