#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "affine_transport.hpp"

namespace unchannel::theory {

/// A Gaussian signal, a Gaussian start and a linear channel with Gaussian noise: what the iteration can be computed for exactly.
struct GaussianProblem {
  Gaussian signal;   ///< π, what is to be found
  Gaussian initial;  ///< π⁽⁰⁾
  LinearChannel channel;
  TransportRule rule;
  /// ω: moments move ω times as far as the transport takes them; see step().
  double over_relaxation = 1.0;
};

/// One iterate and its distances from the signal.
struct Iterate {
  Gaussian law;
  double kl_nats = 0.0;  ///< KL(signal ‖ iterate)
  double w2 = 0.0;       ///< W2(signal, iterate), data units
};

/// The next iterate [SCSI, eq. 8] with inner fits at their optimum and p = 1 (docs/theory/gaussian_recursion.md, eq. 13):
///   m' = m + ω K H (m* − m)      C' = C + ω K H (C* − C) Hᵀ Kᵀ      K = transport_gain(rule, channel, C).
/// ω = 1 is the method; another ω stands for samples that are moved on, by an affine map, to these moments.
/// Throws NumericalError when C' is not positive definite, which takes ω > 1, or not finite.
Gaussian step(const GaussianProblem& problem, const Gaussian& iterate);

/// Iterates 0 … count with their distances. `stop` ends early when it returns true of the iterate just made.
std::vector<Iterate> iterate(const GaussianProblem& problem, std::int64_t count, const std::function<bool(const Iterate&)>& stop = {});

}  // namespace unchannel::theory
