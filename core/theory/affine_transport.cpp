#include "affine_transport.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <boost/numeric/odeint/integrate/integrate_adaptive.hpp>
#include <boost/numeric/odeint/stepper/generation.hpp>
#include <boost/numeric/odeint/stepper/runge_kutta_fehlberg78.hpp>
#include <boost/numeric/odeint/util/odeint_error.hpp>
#include <cmath>
#include <vector>

#include <unchannel/base/error.hpp>

#include "path_law.hpp"

namespace unchannel::theory {
namespace {

namespace odeint = boost::numeric::odeint;
using State = std::vector<double>;

constexpr double kTolerance = 1e-12;
constexpr int kMaxSteps = 200'000;

/// C^½ f C^−½ with f a function of the symmetric C^½ S⁻¹ C^½.
Matrix root_of_shrinkage(const LinearChannel& channel, const Matrix& covariance_DD) {
  const Matrix root_DD = square_root(covariance_DD);
  const Eigen::LLT<Matrix> seen(covariance_DD + channel.noise_DD);
  const Matrix half_DD = square_root(symmetric_part(root_DD * seen.solve(root_DD)));
  return Eigen::LLT<Matrix>(root_DD).solve((root_DD * half_DD).transpose()).transpose();
}

/// The gain of a direction with variance c under white noise; see known_gain().
double white_gain(const TransportRule& rule, double c, double noise) {
  const double shrinkage = c / (c + noise), epsilon = rule.epsilon_scale;
  if (rule.known == TransportRule::Known::kLinearGrowing) return std::pow(shrinkage, 0.5 + 0.5 * epsilon / noise);
  if (rule.known == TransportRule::Known::kDiffusion) return std::pow(shrinkage, 0.5 + epsilon / noise);
  return std::sqrt(shrinkage) * std::exp(-epsilon / std::sqrt(noise * c) * std::atan(std::sqrt(noise / c)));
}

}  // namespace

Matrix posterior_gain(const LinearChannel& channel, const Matrix& covariance_DD) {
  const Matrix seen_DD = symmetric_part(channel.operator_DD * covariance_DD * channel.operator_DD.transpose()) + channel.noise_DD;
  return Eigen::LLT<Matrix>(seen_DD).solve(channel.operator_DD * covariance_DD).transpose();
}

std::optional<Matrix> known_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD) {
  if (rule.known == TransportRule::Known::kNothing || !channel.additive()) return std::nullopt;
  if (rule.epsilon_scale == 0.0) return root_of_shrinkage(channel, covariance_DD);
  if (!channel.white()) return std::nullopt;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance_DD);
  check<NumericalError>(solver.eigenvalues()(0) > 0.0, "theory: a covariance is not positive definite (smallest eigenvalue {:g}).",
                        solver.eigenvalues()(0));
  const Vector gains_D = solver.eigenvalues().unaryExpr([&](double c) { return white_gain(rule, c, channel.noise_DD(0, 0)); });
  return solver.eigenvectors() * gains_D.asDiagonal() * solver.eigenvectors().transpose();
}

Matrix integrated_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD) {
  const Eigen::Index dimension = covariance_DD.rows();
  // Time runs forward for the integrator: u = 1 − t.
  const auto slope = [&](const State& state, State& rate, double u) {
    const double t = 1.0 - u;
    PathLaw law = path_law(rule, channel, covariance_DD, t);
    law.cross_DD.diagonal().array() += rule.epsilon(t);
    const Eigen::Map<const Matrix> psi_DD(state.data(), dimension, dimension);
    Eigen::Map<Matrix>(rate.data(), dimension, dimension) = -law.cross_DD * Eigen::LLT<Matrix>(law.spread_DD).solve(psi_DD);
  };
  State state(static_cast<std::size_t>(dimension * dimension));
  Eigen::Map<Matrix>(state.data(), dimension, dimension).setIdentity();
  const auto stepper = odeint::make_controlled<odeint::runge_kutta_fehlberg78<State>>(kTolerance, kTolerance);
  int steps = 0;
  double reached = 0.0;
  const char* const rule_and_remedy =
      "theory: the transport was not integrated to t = 0, only to {:g}. Lower theory.epsilon or raise the smallest variance.";
  try {
    odeint::integrate_adaptive(stepper, slope, state, 0.0, 1.0, 1e-2, [&](const State&, double u) {
      reached = u;
      check<NumericalError>(++steps <= kMaxSteps, fmt::runtime(rule_and_remedy), 1.0 - reached);
    });
  } catch (const odeint::odeint_error&) {
    throw NumericalError(fmt::format(fmt::runtime(rule_and_remedy), 1.0 - reached));
  }
  const Matrix gain_DD = Eigen::Map<Matrix>(state.data(), dimension, dimension);
  check<NumericalError>(gain_DD.allFinite(), "theory: the transport's integration gave no finite value.");
  return gain_DD;
}

Matrix transport_gain(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD) {
  if (rule.posterior_sampling) return posterior_gain(channel, covariance_DD);
  if (const auto known = known_gain(rule, channel, covariance_DD)) return *known;
  return integrated_gain(rule, channel, covariance_DD);
}

Matrix transport_noise(const LinearChannel& channel, const Matrix& covariance_DD, const Matrix& gain_DD) {
  const Matrix seen_DD = symmetric_part(channel.operator_DD * covariance_DD * channel.operator_DD.transpose()) + channel.noise_DD;
  return symmetric_part(covariance_DD - gain_DD * seen_DD * gain_DD.transpose());
}

}  // namespace unchannel::theory
