#pragma once

#include <vector>

#include "recursion.hpp"

namespace unchannel::theory {

/// χ = sup KL(π ‖ ρ)/KL(Kπ ‖ Kρ) [SCSI, eq. 9] over stated sets of Gaussians ρ; over all of them it is infinite
/// (docs/theory/convergence.md, eq. 1 to 4). g: the smallest eigenvalue of C* Hᵀ S*⁻¹ H, the share of the worst direction's variance that
/// an observation determines.
struct ConditionNumber {
  double local = 0.0;        ///< ρ → π: 1/g²
  double iterates = 0.0;     ///< the iterates of this run; NaN when all equal the signal
  double least_share = 1.0;  ///< a: the smallest one, at most 1, with C ⪰ a C* for all iterates
  double set_lower = 0.0;    ///< over all Gaussians with C ⪰ a C* and any mean χ lies between these two; both are 1/g² for a = 1
  double set_upper = 0.0;
};
ConditionNumber condition_number(const GaussianProblem& problem, const std::vector<Iterate>& iterates);

/// KL(π ‖ ρ)/KL(Kπ ‖ Kρ) of one ρ; NaN where ρ is π to rounding (KL < 1e-16).
double kl_ratio(const GaussianProblem& problem, const Iterate& iterate);

}  // namespace unchannel::theory
