#pragma once

#include <ATen/core/Tensor.h>

#include <unchannel/base/random.hpp>

// Shape legend: B batch · M observation dimensions flattened
namespace unchannel {

/// y_BM + σ n, n standard normal under noise source 0 of `key`; y_BM itself when σ = 0. Every operation is rounded by itself, so the
/// bits do not depend on the batch split.
at::Tensor with_gaussian_noise(const at::Tensor& y_BM, double sigma, RandomKey key, const at::Tensor& ids_B);

/// Σ log N(r; 0, s²) over a row's elements, in nats [B] float64, and `score_BM` = r / s² when not null. s_BM > 0 broadcasts.
at::Tensor gaussian_loglik(const at::Tensor& residual_BM, const at::Tensor& s_BM, at::Tensor* score_BM);

}  // namespace unchannel
