#include "contraction.hpp"

#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <complex>
#include <limits>
#include <vector>

namespace unchannel::theory {
namespace {

using Complex = std::complex<double>;

/// Eigenvalues of K H, the slowest direction of the mean first (without over-relaxation).
std::vector<Complex> responses(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD) {
  const Matrix response_DD = transport_gain(rule, channel, covariance_DD) * channel.operator_DD;
  const Eigen::VectorXcd values_D = Eigen::EigenSolver<Matrix>(response_DD, false).eigenvalues();
  std::vector<Complex> sorted(values_D.begin(), values_D.end());
  std::sort(sorted.begin(), sorted.end(), [](const Complex& a, const Complex& b) { return std::abs(1.0 - a) > std::abs(1.0 - b); });
  return sorted;
}

std::vector<Complex> products(const std::vector<Complex>& responses) {
  std::vector<Complex> all;
  for (std::size_t i = 0; i < responses.size(); ++i) {
    for (std::size_t j = 0; j <= i; ++j) all.push_back(responses[i] * responses[j]);
  }
  return all;
}

double rate(const std::vector<Complex>& responses, double relaxation) {
  double largest = 0.0;
  for (const Complex& response : responses) largest = std::max(largest, std::abs(1.0 - relaxation * response));
  return largest;
}

/// rate() is convex in ω: its minimum on [0, high] by golden sections.
double best_relaxation(const std::vector<Complex>& responses, double high) {
  const double share = 0.5 * (std::sqrt(5.0) - 1.0);
  double low = 0.0;
  while (high - low > 1e-12 * high) {
    const double left = high - share * (high - low), right = low + share * (high - low);
    if (rate(responses, left) < rate(responses, right)) {
      high = right;
    } else {
      low = left;
    }
  }
  return 0.5 * (low + high);
}

bool commute(const Matrix& a_DD, const Matrix& b_DD) {
  return (a_DD * b_DD - b_DD * a_DD).cwiseAbs().maxCoeff() <= 1e-12 * a_DD.norm() * b_DD.norm();
}

}  // namespace

Contraction contraction(const TransportRule& rule, const LinearChannel& channel, const Matrix& signal_covariance_DD,
                        double over_relaxation) {
  const std::vector<Complex> kappa = responses(rule, channel, signal_covariance_DD);
  Contraction result;
  const auto dimension = static_cast<Eigen::Index>(kappa.size());
  const auto factors = [&](int power) {
    return Vector::NullaryExpr(dimension, [&kappa, over_relaxation, power](Eigen::Index i) {
      return std::abs(1.0 - over_relaxation * std::pow(kappa[static_cast<std::size_t>(i)], power));
    });
  };
  result.mean_D = factors(1);
  result.covariance_D = factors(2);
  result.mean_rate = rate(kappa, over_relaxation);
  result.covariance_rate = rate(products(kappa), over_relaxation);
  result.kl_rate = std::pow(std::max(result.mean_rate, result.covariance_rate), 2);
  return result;
}

std::optional<UniformContraction> uniform_contraction(const GaussianProblem& problem) {
  const Matrix &signal_DD = problem.signal.covariance_DD, &start_DD = problem.initial.covariance_DD;
  const bool known = problem.rule.posterior_sampling || problem.rule.known != TransportRule::Known::kNothing;
  if (!known || problem.over_relaxation != 1.0 || !problem.channel.additive() || !problem.channel.white() ||
      !commute(signal_DD, start_DD)) {
    return std::nullopt;
  }
  // K grows with c, and c stays between start and signal.
  const double least = std::min(least_eigenvalue(signal_DD), least_eigenvalue(start_DD));
  const LinearChannel one{Matrix::Identity(1, 1), problem.channel.noise_DD.topLeftCorner(1, 1)};
  const double gain = transport_gain(problem.rule, one, Matrix::Constant(1, 1, least))(0, 0);
  return UniformContraction{1.0 - gain, 1.0 - gain * gain};
}

Relaxation relaxation(const TransportRule& rule, const LinearChannel& channel, const Matrix& signal_covariance_DD) {
  std::vector<Complex> all = responses(rule, channel, signal_covariance_DD);
  const std::vector<Complex> pairs = products(all);
  all.insert(all.end(), pairs.begin(), pairs.end());
  Relaxation result;
  result.best_rate = rate(all, 1.0);
  double stable = std::numeric_limits<double>::infinity();
  for (const Complex& value : all) stable = std::min(stable, 2.0 * value.real() / std::norm(value));  // |1 − ω κ| < 1
  if (!(stable > 0.0)) return result;
  result.largest_stable = stable;
  result.best = best_relaxation(all, stable);
  result.best_rate = rate(all, result.best);
  return result;
}

TransportRule ode_of(const TransportRule& rule) {
  if (rule.posterior_sampling) return TransportRule::linear(0.0);
  TransportRule ode = rule;
  ode.epsilon = [](double) { return 0.0; };
  ode.epsilon_scale = 0.0;
  return ode;
}

}  // namespace unchannel::theory
