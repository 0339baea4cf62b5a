#pragma once

#include <ATen/core/Tensor.h>

#include "channel.hpp"

// Shape legend: B batch · D signal dimensions · M observation dimensions
namespace unchannel {

/// Least-squares signals: `iterations` steps of conjugate gradients on |y − F̄(x)|² from x = 0, with F̄ the channel's noise-free mean, taken
/// as affine. Few iterations regularise: directions that the channel hardly passes stay at zero; many give the pseudo-inverse.
/// y_BM [B, M] → [B, D]. Rows do not influence each other. Throws ConfigError when the channel has no mean or no vjp.
at::Tensor least_squares(const Channel& channel, const Latents& latents, const at::Tensor& y_BM, std::int64_t iterations);

}  // namespace unchannel
