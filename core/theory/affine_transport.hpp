#pragma once

#include <optional>

#include "linear_channel.hpp"
#include "transport_rule.hpp"

namespace unchannel::theory {

/// An iterate's transport. For signals N(m, C) every rule moves y to Φ(y) = m + K (y − H m) + noise N(0, C − K S Kᵀ), S = H C Hᵀ + R: b and
/// s are affine, and the law of I_t is kept (docs/theory/gaussian_recursion.md, eq. 6 to 8). K [D, D] depends on C, not on m.

/// K of `rule`: that of the posterior, a known integral, or the integrated one.
/// Throws NumericalError when a covariance is not positive definite or the integration does not finish.
Matrix transport_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD);

/// K of the posterior x | y: C Hᵀ S⁻¹.
Matrix posterior_gain(const LinearChannel& channel, const Matrix& covariance_DD);

/// K by integrating dΨ/dt = (N + ε) Σ⁻¹ Ψ from Ψ(1) = I to t = 0, adaptive Runge-Kutta-Fehlberg 7(8). Error ≤ 1e-9 of |K|; it is below
/// 1e-11 for condition numbers ≤ 1e4. Throws NumericalError after 200,000 steps: ε is then too large for the smallest variance.
Matrix integrated_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD);

/// K where its integral is known, else nothing. All for H = I.
///   linear and diffusion, ε = 0, any R           (C S⁻¹)^½
///   linear, R = σ²I, ε constant, by eigenvalue c  √(c/(c+σ²)) exp(−ε/(σ√c) · arctan(σ/√c))
///   linear, R = σ²I, ε(t) = ε t                  (c/(c+σ²))^(½ + ε/2σ²)
///   diffusion, R = σ²I, ε constant               (c/(c+σ²))^(½ + ε/σ²)
std::optional<Matrix> known_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD);

/// C − K S Kᵀ, what the transport adds by chance: zero for ε = 0, the posterior's covariance for posterior sampling.
Matrix transport_noise(const LinearChannel& channel, const Matrix& covariance_DD, const Matrix& gain_DD);

}  // namespace unchannel::theory
