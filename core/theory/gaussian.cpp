#include "gaussian.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <boost/math/special_functions/log1p.hpp>
#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel::theory {
namespace {

Eigen::LLT<Matrix> cholesky(const Matrix& a_DD) {
  const Eigen::LLT<Matrix> factor(a_DD);
  check<NumericalError>(
      factor.info() == Eigen::Success && a_DD.allFinite(),
      "theory: a covariance is not positive definite (smallest eigenvalue {:g}). Give signals, start and noise variances that are "
      "closer to each other, or a smaller theory.over_relaxation.",
      a_DD.allFinite() ? least_eigenvalue(a_DD) : std::nan(""));
  return factor;
}

}  // namespace

double kl_nats(const Gaussian& p, const Gaussian& q) {
  const Eigen::LLT<Matrix> factor = cholesky(q.covariance_DD);
  const auto lower = factor.matrixL();
  // L⁻¹ (P − Q) L⁻ᵀ has the eigenvalues of Q⁻¹P − I, without the rounding of forming them from those of Q⁻¹P.
  const Matrix half_DD = lower.solve(p.covariance_DD - q.covariance_DD);
  const Matrix excess_DD = lower.solve(half_DD.transpose());
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(symmetric_part(excess_DD), Eigen::EigenvaluesOnly);
  double sum = lower.solve(p.mean_D - q.mean_D).squaredNorm();
  for (const double excess : solver.eigenvalues()) {
    check<NumericalError>(excess > -1.0,
                          "theory: the Kullback-Leibler divergence of a covariance that is not positive definite is not defined.");
    sum -= boost::math::log1pmx(excess);
  }
  return 0.5 * sum;
}

Matrix optimal_map(const Matrix& p_DD, const Matrix& q_DD) {
  const Eigen::LLT<Matrix> factor = cholesky(p_DD);
  const Matrix root_DD = square_root(p_DD);
  const Matrix middle_DD = square_root(symmetric_part(root_DD * q_DD * root_DD));
  // P^−½ M P^−½ = P⁻¹ P^½ M P^½ P⁻¹: one factor for both sides.
  const Matrix left_DD = factor.solve(root_DD * middle_DD * root_DD);
  return symmetric_part(factor.solve(left_DD.transpose()));
}

double w2(const Gaussian& p, const Gaussian& q) {
  const Matrix move_DD = optimal_map(p.covariance_DD, q.covariance_DD) - Matrix::Identity(p.mean_D.size(), p.mean_D.size());
  const double spread = (move_DD * p.covariance_DD * move_DD.transpose()).trace();
  return std::sqrt((p.mean_D - q.mean_D).squaredNorm() + std::max(spread, 0.0));
}

Matrix square_root(const Matrix& a_DD) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(a_DD);
  const Vector values_D = solver.eigenvalues();
  check<NumericalError>(values_D(0) >= -1e-9 * values_D.cwiseAbs().maxCoeff(),
                        "theory: the square root of a matrix with the negative eigenvalue {:g} is not defined.", values_D(0));
  return solver.eigenvectors() * values_D.cwiseMax(0.0).cwiseSqrt().asDiagonal() * solver.eigenvectors().transpose();
}

Matrix symmetric_part(const Matrix& a_DD) { return 0.5 * (a_DD + a_DD.transpose()); }

double least_eigenvalue(const Matrix& a_DD) {
  return Eigen::SelfAdjointEigenSolver<Matrix>(symmetric_part(a_DD), Eigen::EigenvaluesOnly).eigenvalues()(0);
}

}  // namespace unchannel::theory
