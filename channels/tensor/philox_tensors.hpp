#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <unchannel/base/random.hpp>

// Shape legend: B batch · N numbers of one sample
namespace unchannel {

/// The key under which latent `index` of a channel is drawn, from the key that draw_latents gets.
RandomKey latent_key(RandomKey key, std::uint64_t index);
/// The key of noise source `index` of a channel, from the key that simulate gets.
RandomKey noise_key(RandomKey key, std::uint64_t index = 0);

/// Numbers [B, N] float32 on `device`, row i of sample ids_B[i] (int64): pure functions of (key, id, column), the same bits for any batch
/// split and number of threads. They are drawn on the CPU and copied. Uniforms lie in (0, 1), 24 bits each.
at::Tensor normals(RandomKey key, const at::Tensor& ids_B, std::int64_t count, c10::Device device);
at::Tensor uniforms(RandomKey key, const at::Tensor& ids_B, std::int64_t count, c10::Device device);
/// Poisson numbers with the means mean_BN (float32), on their device; not a number where a mean is outside [0, 1e12].
at::Tensor poisson_counts(RandomKey key, const at::Tensor& ids_B, const at::Tensor& mean_BN);

}  // namespace unchannel
