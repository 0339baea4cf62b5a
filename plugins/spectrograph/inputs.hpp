// The latents of one call, and which pixels they call observed.
#pragma once

#include "schema.hpp"

#include <cmath>
#include <span>
#include <vector>

namespace spectrograph {

struct Inputs {
  /// sky: [D] 1 under the configured lines, used where the host gives no sky_mask. hidden_may_lack: lift sees visible latents only.
  Inputs(const Schema& schema, const sdk::Call& call, const std::vector<int32_t>& sky, bool hidden_may_lack = false);

  [[nodiscard]] bool under_sky_line(int64_t i, size_t d) const {
    return sky_rows ? sky_rows[i][d] != 0 : !(*sky).empty() && (*sky)[d] != 0;
  }
  [[nodiscard]] bool observed(int64_t i, size_t d) const {
    return (!mask || mask[i][d] == 0) && (!ivar || (ivar[i][d] > 0 && std::isfinite(ivar[i][d]))) && !(sky_hides && under_sky_line(i, d));
  }
  /// Whether any pixel of any spectrum may be unobserved.
  [[nodiscard]] bool may_lack_pixels() const { return mask || ivar || sky_hides; }
  /// Factor on the sigma of noise = "snr" in this pixel.
  [[nodiscard]] float noise_factor(int64_t i, size_t d) const { return sky_noise > 1 && under_sky_line(i, d) ? sky_noise : 1.0F; }

  /// Zeros in all other pixels.
  void keep_observed(int64_t i, std::span<float> values) const;
  /// Unobserved pixel d gets unchannel_normal(h, 0, d, 0), h: a hash of the places and bits of all observed pixels.
  void fill_unobserved(int64_t i, std::span<float> y) const;

  sdk::Rows<const float> resolution, resolution_factor, snr, multiplicative, additive, ivar;
  sdk::Rows<const int32_t> mask, sky_rows;
  const std::vector<int32_t>* sky;
  bool sky_hides = false;
  float sky_noise = 1;
};

}  // namespace spectrograph
