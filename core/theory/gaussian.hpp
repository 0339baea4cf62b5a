#pragma once

#include <Eigen/Core>

// Shape legend: D dimension of signals and observations
namespace unchannel::theory {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

/// N(mean, covariance), float64, data units; the covariance is symmetric and positive definite.
struct Gaussian {
  Vector mean_D;
  Matrix covariance_DD;
};

/// KL(p ‖ q) = ½ [tr(Q⁻¹P) − D − ln det(Q⁻¹P) + |m_q − m_p|²_{Q⁻¹}] in nats. Computed from the eigenvalues x of Q⁻¹P − I, each with an
/// error of about 1e-16 times the condition number of Q, so that values far below the rounding of the terms keep their digits. Throws
/// NumericalError when a covariance is not positive definite.
double kl_nats(const Gaussian& p, const Gaussian& q);

/// W2(p, q), data units: W2² = |m_p − m_q|² + tr((T − I) P (T − I)ᵀ) with T the optimal map of optimal_map(). Throws NumericalError as
/// above.
double w2(const Gaussian& p, const Gaussian& q);

/// The symmetric T ⪰ 0 with T P T = Q (Q may be singular), which moves N(0, P) onto N(0, Q) at the least mean squared distance:
/// T = P^−½ (P^½ Q P^½)^½ P^−½.
Matrix optimal_map(const Matrix& p_DD, const Matrix& q_DD);

/// Symmetric square root of a positive semi-definite matrix; eigenvalues below zero by rounding count as zero.
/// Throws NumericalError when one is negative beyond 1e-9 of the largest.
Matrix square_root(const Matrix& a_DD);

/// (A + Aᵀ)/2: takes away what rounding left of an asymmetry.
Matrix symmetric_part(const Matrix& a_DD);

/// Smallest eigenvalue of a symmetric matrix.
double least_eigenvalue(const Matrix& a_DD);

}  // namespace unchannel::theory
