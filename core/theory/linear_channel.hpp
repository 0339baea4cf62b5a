#pragma once

#include "gaussian.hpp"

namespace unchannel::theory {

/// y = H x + n, n ~ N(0, R); H is regular, R symmetric and positive definite.
struct LinearChannel {
  Matrix operator_DD;
  Matrix noise_DD;

  /// Law of the observations of signals with the law `signal`: N(H m, H C Hᵀ + R).
  Gaussian observe(const Gaussian& signal) const;
  /// H is the identity, to the last bit: additive noise (AWGN when white() too).
  bool additive() const;
  /// R = σ² I to the last bit.
  bool white() const;
};

}  // namespace unchannel::theory
