#pragma once

#include <optional>

#include "recursion.hpp"

namespace unchannel::theory {

/// What one iteration leaves of a small error, at the fixed point (docs/theory/contraction.md, eq. 1 to 3). With κ the eigenvalues of K H,
/// K the transport's gain for the signal's own covariance, an error of the mean is multiplied by 1 − κ_i, one of the covariance by 1 − κ_i
/// κ_j.
struct Contraction {
  Vector mean_D;        ///< |1 − κ_i|, the slowest direction first
  Vector covariance_D;  ///< |1 − κ_i²|, the same directions
  double mean_rate = 0.0;
  double covariance_rate = 0.0;  ///< largest |1 − κ_i κ_j| over all pairs
  double kl_rate = 0.0;          ///< of KL and W2², which are quadratic: the larger rate squared
};
/// With over-relaxation ω they are 1 − ω κ_i and 1 − ω κ_i κ_j.
Contraction contraction(const TransportRule& rule, const LinearChannel& channel, const Matrix& signal_covariance_DD,
                        double over_relaxation = 1.0);

/// Largest factors over all iterations where signal, start and white noise share directions, H = I and K is known
/// (docs/theory/contraction.md, eq. 4): 1 − K(c) and 1 − K(c)², c the smallest variance of signal or start. Nothing otherwise.
struct UniformContraction {
  double mean, covariance;
};
std::optional<UniformContraction> uniform_contraction(const GaussianProblem& problem);

/// What ω does to the rate near the fixed point: each κ of Contraction becomes ω κ, each κ_i κ_j likewise (docs/theory/contraction.md, eq.
/// 5).
struct Relaxation {
  double best = 1.0;            ///< the ω with the least rate
  double best_rate = 1.0;       ///< that rate, of means and covariances
  double largest_stable = 0.0;  ///< no convergence from this ω on; 0: for no ω, since some κ or κ_i κ_j has no positive real part
};
Relaxation relaxation(const TransportRule& rule, const LinearChannel& channel, const Matrix& signal_covariance_DD);

/// The same schedule with ε = 0; that of linear() for posterior sampling.
TransportRule ode_of(const TransportRule& rule);

}  // namespace unchannel::theory
