#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/measurement/channel.hpp>

// Shape legend: D signal pixels · M observation pixels
namespace unchannel::baselines {

/// A noise-free measurement that is affine in the signal: y = matrix x + offset. float64.
struct AffineResponse {
  at::Tensor matrix_MD;
  at::Tensor offset_M;
};

/// Reads the response off a channel's `mean` by running it on zero and on the D unit vectors, with one set of latents
/// (each [1, L…]: "the mean line-spread function"). Entries carry float32 rounding. Throws ConfigError when the channel has no
/// `mean` or is not affine (tried on a signal of random signs to 1e-3).
AffineResponse probe_response(const Channel& channel, const Latents& latents_1);

/// Gaussian line spread of `fwhm_pixels` integrated over pixels (weights Φ((k+½)/s) − Φ((k−½)/s), cut at 6 s, sum 1) with
/// reflecting edges x₋₁ = x₀; offset 0. `fwhm_pixels` ≥ 0 may be far below one pixel. Throws ConfigError.
AffineResponse gaussian_line_spread(std::int64_t pixels, double fwhm_pixels);

}  // namespace unchannel::baselines
