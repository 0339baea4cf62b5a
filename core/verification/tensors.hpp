#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/base/random.hpp>
#include <unchannel/theory/gaussian.hpp>

// Shape legend: N rows · D dimension
namespace unchannel::verification {

/// Matrix → tensor [rows, columns] float64, vector → [rows].
at::Tensor tensor_of(const theory::Matrix& matrix);
at::Tensor tensor_of(const theory::Vector& vector);

/// The lower L with L Lᵀ = covariance, [D, D] float64.
at::Tensor root_of(const theory::Matrix& covariance_DD);

/// Mean and covariance (divided by N) of the rows, summed in float64.
theory::Gaussian moments_of(const at::Tensor& x_ND);

/// N draws of `law`, moved by an affine map to exactly its mean and covariance, float32: what is left to scatter is what is learnt from them.
at::Tensor standardised_draws(const theory::Gaussian& law, std::int64_t rows, RandomKey key);

}  // namespace unchannel::verification
