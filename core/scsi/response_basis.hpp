#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/measurement/channel.hpp>

// Shape legend: D data dimension · R components
namespace unchannel {

/// Directions of the signal that a channel lets through best.
struct ProbedResponse {
  at::Tensor basis_DR;  ///< orthonormal float32: right singular vectors of the linear response, best first
  at::Tensor gain_R;    ///< their singular values, float64
};

/// Fits the linear response y ≈ ȳ + H(x − m) to `probes` runs with white signals around `mean_D` and returns its leading `rank` right
/// singular vectors. Where the channel offers its noise-free mean, that is probed, at one draw of the latents (the first row of
/// `latents` for those the channel does not draw); elsewhere singular values below about gain · noise · √(D/probes) are noise. Throws ConfigError when there are fewer probes than 2 D.
ProbedResponse probe_response_basis(const Channel& channel, const at::Tensor& mean_D, const Latents& latents, std::int64_t probes,
                                    std::int64_t rank, RandomKey key);

}  // namespace unchannel
