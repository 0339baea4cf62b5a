#include "condition_number.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <boost/math/special_functions/log1p.hpp>
#include <cmath>
#include <limits>

namespace unchannel::theory {
namespace {

constexpr double kSameLaw = 1e-16;

/// Twice the KL of a variance 1 from a variance e.
double variance_kl(double e) { return -boost::math::log1pmx(1.0 / e - 1.0); }

/// The smallest eigenvalue of P relative to C*.
double least_share(const Matrix& covariance_DD, const Eigen::LLT<Matrix>& signal) {
  const auto lower = signal.matrixL();
  const Matrix half_DD = lower.solve(covariance_DD);
  return least_eigenvalue(lower.solve(half_DD.transpose()));
}

}  // namespace

double kl_ratio(const GaussianProblem& problem, const Iterate& iterate) {
  const double seen = kl_nats(problem.channel.observe(problem.signal), problem.channel.observe(iterate.law));
  return iterate.kl_nats < kSameLaw || seen <= 0.0 ? std::numeric_limits<double>::quiet_NaN() : iterate.kl_nats / seen;
}

ConditionNumber condition_number(const GaussianProblem& problem, const std::vector<Iterate>& iterates) {
  const Matrix& c_DD = problem.signal.covariance_DD;
  const Eigen::LLT<Matrix> signal(c_DD), seen(problem.channel.observe(problem.signal).covariance_DD);
  // Lᵀ Hᵀ S⁻¹ H L is similar to C Hᵀ S⁻¹ H.
  const Matrix shown_DD = problem.channel.operator_DD * Matrix(signal.matrixL());
  const double g = least_eigenvalue(shown_DD.transpose() * seen.solve(shown_DD));
  ConditionNumber chi;
  chi.local = 1.0 / (g * g);
  chi.iterates = std::numeric_limits<double>::quiet_NaN();
  for (const Iterate& iterate : iterates) {
    chi.iterates = std::fmax(chi.iterates, kl_ratio(problem, iterate));
    chi.least_share = std::min(chi.least_share, least_share(iterate.law.covariance_DD, signal));
  }
  const double a = chi.least_share, seen_share = 1.0 - g + g * a;
  chi.set_upper = std::pow(seen_share / (g * a), 2);
  // For a next to 1 both divergences are rounding, and their ratio is that of the limit.
  chi.set_lower = a < 1.0 - 1e-6 ? std::max(chi.local, variance_kl(a) / variance_kl(seen_share)) : chi.local;
  return chi;
}

}  // namespace unchannel::theory
