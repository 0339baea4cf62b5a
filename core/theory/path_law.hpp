#pragma once

#include "linear_channel.hpp"
#include "transport_rule.hpp"

namespace unchannel::theory {

/// The joint law of I_t and its velocity for signals N(m, C) seen through a linear channel (docs/theory/gaussian_recursion.md, eq. 3 to 5).
/// With A = α + β H and its rate A', I_t = A x + β n + γ z, so I_t ~ N(A m, Σ) and İ_t = A' x + β' n + γ' z:
///   Σ = A C Aᵀ + β² R + γ² Γ      N = Cov(İ, I) = A' C Aᵀ + β β' R + γ γ' Γ      Γ = I, or R where z is like the noise.
/// Then b(t, u) = A' m + N Σ⁻¹ (u − A m) and s(t, u) = −Σ⁻¹ (u − A m).
struct PathLaw {
  Matrix map_DD;       ///< A
  Matrix map_rate_DD;  ///< A'
  Matrix spread_DD;    ///< Σ
  Matrix cross_DD;     ///< N
};

PathLaw path_law(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD, double t);

}  // namespace unchannel::theory
