#include "drift_sensitivity.hpp"

#include <Eigen/Cholesky>
#include <algorithm>
#include <boost/math/quadrature/gauss.hpp>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <vector>

#include "path_law.hpp"

namespace unchannel::theory {
namespace {

constexpr double kSameLaw = 1e-16;
constexpr double kInfinite = std::numeric_limits<double>::infinity();

struct Node {
  double t, weight;
};

/// Nodes of ∫₀¹ dt in u = √t: drifts change fastest near t = 0, over a range of √(signal/noise variance).
std::vector<Node> nodes() {
  using Rule = boost::math::quadrature::gauss<double, 60>;
  std::vector<Node> all;
  for (std::size_t i = 0; i < Rule::abscissa().size(); ++i) {
    for (const double sign : {-1.0, 1.0}) {
      const double u = 0.5 * (1.0 + sign * Rule::abscissa()[i]);
      all.push_back({u * u, Rule::weights()[i] * u});
    }
  }
  return all;
}

/// F = (N − ε) Σ⁻¹ of signals with this covariance.
Matrix forward_drift(const PathLaw& law, double epsilon) {
  Matrix numerator_DD = law.cross_DD;
  numerator_DD.diagonal().array() -= epsilon;
  return Eigen::LLT<Matrix>(law.spread_DD).solve(numerator_DD.transpose()).transpose();
}

/// ∫ q dt and ∫ q/(4ε) dt. The second is infinite where ε vanishes at an end and q does not. q is a square: it vanishes faster than ε if at
/// all.
DriftSensitivity integrated(const TransportRule& rule, const std::function<double(double t)>& q) {
  DriftSensitivity sum;
  double largest = 0.0;
  for (const Node& node : nodes()) {
    const double value = q(node.t), epsilon = rule.epsilon(node.t);
    largest = std::max(largest, value);
    sum.lipschitz += node.weight * value;
    sum.drift_term += value == 0.0 ? 0.0 : node.weight * value / (4.0 * epsilon);
  }
  for (const double end : {0.0, 1.0}) {
    if (rule.epsilon(end) == 0.0 && q(end) > 1e-20 * largest) sum.drift_term = kInfinite;
  }
  return sum;
}

/// The quadratic forms of |f_π − f_ρ|² for small changes: |Y dm|² and tr(P X W X) for dC = L X Lᵀ, C* = L Lᵀ.
struct LocalForms {
  Matrix mean_DD, left_DD, right_DD;
};

LocalForms local_forms(const GaussianProblem& problem, const Matrix& lower_DD, double t) {
  const PathLaw law = path_law(problem.rule, problem.channel, problem.signal.covariance_DD, t);
  const Matrix change_DD = (law.map_rate_DD - forward_drift(law, problem.rule.epsilon(t)) * law.map_DD) * lower_DD;
  const Matrix shown_DD = law.map_DD * lower_DD;
  const Matrix square_DD = change_DD.transpose() * change_DD;
  return {square_DD, square_DD, shown_DD.transpose() * Eigen::LLT<Matrix>(law.spread_DD).solve(shown_DD)};
}

/// Largest eigenvalue of X → Σ w sym(P X W) on symmetric matrices, by power iteration. Its value is off by the square of the direction's
/// error.
double largest_response(const std::vector<LocalForms>& forms, const std::vector<double>& weights) {
  const Eigen::Index dimension = forms.front().left_DD.rows();
  std::mt19937_64 engine(1);  // any start but a special one
  Matrix x_DD = symmetric_part(Matrix::NullaryExpr(dimension, dimension, [&] { return std::normal_distribution<double>()(engine); }));
  double value = 0.0;
  for (int round = 0; round < 1000; ++round) {
    x_DD /= x_DD.norm();
    Matrix image_DD = Matrix::Zero(dimension, dimension);
    for (std::size_t i = 0; i < forms.size(); ++i) image_DD += weights[i] * forms[i].left_DD * x_DD * forms[i].right_DD;
    image_DD = symmetric_part(image_DD);
    const double before = value;
    value = (image_DD.array() * x_DD.array()).sum();
    if (image_DD.norm() == 0.0 || std::abs(value - before) <= 1e-12 * value) break;
    x_DD = image_DD;
  }
  return value;
}

/// KL is half the square of L⁻¹ dm and a quarter of that of X.
double largest_ratio(const std::vector<LocalForms>& forms, const std::vector<double>& weights) {
  Matrix mean_DD = Matrix::Zero(forms.front().mean_DD.rows(), forms.front().mean_DD.cols());
  for (std::size_t i = 0; i < forms.size(); ++i) mean_DD += weights[i] * forms[i].mean_DD;
  const double of_means = 2.0 * -least_eigenvalue(-mean_DD);
  return std::max({of_means, 4.0 * largest_response(forms, weights), 0.0});
}

}  // namespace

DriftSensitivity drift_sensitivity(const GaussianProblem& problem, const Iterate& iterate) {
  if (iterate.kl_nats < kSameLaw) return {std::nan(""), std::nan("")};
  const Vector shift_D = problem.signal.mean_D - iterate.law.mean_D;
  const auto squared = [&](double t) {
    const double epsilon = problem.rule.epsilon(t);
    const PathLaw truth = path_law(problem.rule, problem.channel, problem.signal.covariance_DD, t);
    const PathLaw other = path_law(problem.rule, problem.channel, iterate.law.covariance_DD, t);
    const Matrix other_drift_DD = forward_drift(other, epsilon), difference_DD = forward_drift(truth, epsilon) - other_drift_DD;
    return ((truth.map_rate_DD - other_drift_DD * truth.map_DD) * shift_D).squaredNorm() +
           (difference_DD * truth.spread_DD * difference_DD.transpose()).trace();
  };
  DriftSensitivity result = integrated(problem.rule, squared);
  result.lipschitz /= iterate.kl_nats;
  result.drift_term /= iterate.kl_nats;
  return result;
}

DriftSensitivity local_drift_sensitivity(const GaussianProblem& problem) {
  const Matrix lower_DD = Eigen::LLT<Matrix>(problem.signal.covariance_DD).matrixL();
  std::vector<LocalForms> forms;
  std::vector<double> weights, weights_over_epsilon;
  double largest = 0.0;
  for (const Node& node : nodes()) {
    forms.push_back(local_forms(problem, lower_DD, node.t));
    weights.push_back(node.weight);
    weights_over_epsilon.push_back(node.weight / (4.0 * problem.rule.epsilon(node.t)));
    largest = std::max(largest, forms.back().left_DD.norm());
  }
  DriftSensitivity result{largest_ratio(forms, weights), kInfinite};
  const auto differs = [&](double end) {
    return problem.rule.epsilon(end) == 0.0 && local_forms(problem, lower_DD, end).left_DD.norm() > 1e-20 * largest;
  };
  if (!differs(0.0) && !differs(1.0)) result.drift_term = largest_ratio(forms, weights_over_epsilon);
  return result;
}

}  // namespace unchannel::theory
