#include "linear_channel.hpp"

namespace unchannel::theory {

Gaussian LinearChannel::observe(const Gaussian& signal) const {
  return {operator_DD * signal.mean_D, symmetric_part(operator_DD * signal.covariance_DD * operator_DD.transpose()) + noise_DD};
}

bool LinearChannel::additive() const { return operator_DD == Matrix::Identity(operator_DD.rows(), operator_DD.cols()); }

bool LinearChannel::white() const { return noise_DD == noise_DD(0, 0) * Matrix::Identity(noise_DD.rows(), noise_DD.cols()); }

}  // namespace unchannel::theory
