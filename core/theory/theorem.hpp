#pragma once

#include <string>
#include <vector>

#include "condition_number.hpp"
#include "drift_sensitivity.hpp"

namespace unchannel::theory {

/// Theorem 1 [SCSI, eq. 11] with exact drifts (δ = 0): KL(π ‖ π⁽ᵏ⁾) ≤ 2 ηᵏ KL(π ‖ π⁽⁰⁾), η = 1 + L/4ε − 1/χ, when L < 4ε/χ; Corollary 1
/// where L = 0. χ and L over the iterates of the run are all that its proof uses, so η over them bounds this run; the local ones bound its
/// end (docs/theory/convergence.md, eq. 8 to 10).
struct TheoremBound {
  ConditionNumber chi;
  DriftSensitivity local;       ///< NaN for posterior sampling
  DriftSensitivity iterates;    ///< largest over the run
  double local_rate = 0.0;      ///< 1 + L/4ε − 1/χ with both local
  double rate = 0.0;            ///< η over the iterates; infinite for ε = 0, NaN when all iterates equal the signal
  bool applies = false;         ///< η < 1
  std::string reason;           ///< why it does or does not apply, with the figures
  std::vector<double> kl_nats;  ///< 2 ηᵏ KL(π ‖ π⁽⁰⁾) for every iterate; empty where η is not finite
};
TheoremBound theorem_bound(const GaussianProblem& problem, const std::vector<Iterate>& iterates);

}  // namespace unchannel::theory
