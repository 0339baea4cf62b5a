#pragma once

#include "recursion.hpp"

namespace unchannel::theory {

/// How much the forward drift f = b + ε s changes with the law of the signals [SCSI, eq. 10], against KL(π ‖ ρ). With F = (N − ε) Σ⁻¹ and
/// ‖·‖ the norm over the true path, ‖f_π − f_ρ‖² = ∫ |(A' − F_ρ A)(m* − m)|² + tr((F_π − F_ρ) Σ_π (F_π − F_ρ)ᵀ) dt
/// (docs/theory/convergence.md, eq. 5 to 7). Not defined for posterior sampling, which has no drift. Relative error of the quadrature ≤
/// 1e-6 for variances ≥ 1e-4 of the noise.
struct DriftSensitivity {
  double lipschitz = 0.0;  ///< L: sup ‖f_π − f_ρ‖²/KL(π ‖ ρ)
  double drift_term = 0.0;  ///< L/4ε; for ε(t), sup ∫ |f_π − f_ρ|²/(4ε(t)) dt/KL(π ‖ ρ); infinite where ε vanishes and drifts differ
};

/// For one ρ; NaN where ρ is π to rounding (KL < 1e-16).
DriftSensitivity drift_sensitivity(const GaussianProblem& problem, const Iterate& iterate);

/// For ρ → π in the worst direction.
DriftSensitivity local_drift_sensitivity(const GaussianProblem& problem);

}  // namespace unchannel::theory
