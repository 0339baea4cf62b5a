#include "path_law.hpp"

namespace unchannel::theory {

PathLaw path_law(const TransportRule& rule, const LinearChannel& channel, const Matrix& covariance_DD, double t) {
  const SchedulePoint s = rule.schedule(t);
  const Eigen::Index dimension = covariance_DD.rows();
  const Matrix identity_DD = Matrix::Identity(dimension, dimension);
  const Matrix& added_DD = rule.gamma_like_noise ? channel.noise_DD : identity_DD;
  PathLaw law;
  law.map_DD = s.alpha * identity_DD + s.beta * channel.operator_DD;
  law.map_rate_DD = s.alpha_rate * identity_DD + s.beta_rate * channel.operator_DD;
  const Matrix seen_DD = covariance_DD * law.map_DD.transpose();
  law.spread_DD = symmetric_part(law.map_DD * seen_DD) + s.beta * s.beta * channel.noise_DD + s.gamma_squared * added_DD;
  law.cross_DD = law.map_rate_DD * seen_DD + s.beta * s.beta_rate * channel.noise_DD + 0.5 * s.gamma_squared_rate * added_DD;
  return law;
}

}  // namespace unchannel::theory
