#include "error_limits.hpp"

#include <cmath>

#include "contraction.hpp"

namespace unchannel::theory {

ErrorLimits error_limits(const GaussianProblem& problem) {
  const Matrix& c_DD = problem.signal.covariance_DD;
  const Matrix posterior_DD = posterior_gain(problem.channel, c_DD);
  // Φ(y) has the signal's law, so E|x − Φ(y)|² = 2 tr C − 2 tr Cov(Φ(y), x).
  const auto preserving_error = [&](const Matrix& gain_DD) { return 2.0 * (c_DD - gain_DD * problem.channel.operator_DD * c_DD).trace(); };
  const Matrix gain_DD = transport_gain(problem.rule, problem.channel, c_DD);
  const Matrix explained_DD = symmetric_part(posterior_DD * problem.channel.operator_DD * c_DD);
  ErrorLimits limits;
  limits.posterior_draw = preserving_error(posterior_DD);
  limits.posterior_mean = 0.5 * limits.posterior_draw;
  limits.distribution_preserving = limits.posterior_mean + std::pow(w2(problem.signal, {problem.signal.mean_D, explained_DD}), 2);
  limits.ode_map = preserving_error(transport_gain(ode_of(problem.rule), problem.channel, c_DD));
  limits.transport = preserving_error(gain_DD);
  limits.transport_spread = std::sqrt(std::max(transport_noise(problem.channel, c_DD, gain_DD).trace(), 0.0) / limits.posterior_mean);
  return limits;
}

}  // namespace unchannel::theory
