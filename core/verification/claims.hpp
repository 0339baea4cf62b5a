#pragma once

#include <string>
#include <vector>

#include "measured_iterates.hpp"

namespace unchannel::verification {

/// One claim of the theory and what the engine showed.
struct Claim {
  std::string name;  ///< "iterates", "linear convergence", "rate", "ODE against SDE", "EM"
  std::string text;  ///< what is claimed, of which scheme
  double predicted = 0.0;
  double measured = 0.0;
  double tolerance = 0.0;
  bool holds = false;
  bool tested = true;  ///< false: no iterate is far enough from the signal to tell; the other figures are then 0
};

/// Every claim that `results` allow, the configured scheme first:
///   iterates            every mean and covariance agrees with the recursion; measured is the worst error as a share of its tolerance
///   linear convergence  every step shrinks the distance to the signal by at least the slowest predicted factor
///   rate                mean of ln(W2_{k+1}/W2_k) up to the last usable iterate
///   ODE against SDE, EM difference of that between two schemes, up to the last iterate that both can use
std::vector<Claim> claims_of(const std::vector<SchemeResult>& results);

}  // namespace unchannel::verification
