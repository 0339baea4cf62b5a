#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bootstrap.hpp"

// Shape legend: N, B objects · D observation dimensions · P directions
namespace unchannel::metrics {

/// Distance between re-simulated observations F(Φ(y_A)) and *other* held-out observations y_B. Needs no clean data.
struct GapResult {
  double sliced_w2 = 0;    ///< SW2 of simulated against observed, in data units
  double floor = 0;        ///< what equal laws would give: the distance of the rows restored from, or from halves of the observed sample
  double excess_squared = 0;  ///< sliced_w2² − floor², signed: averages to 0 for equal laws
  double excess = 0;       ///< √max(excess_squared, 0), data units
  double relative = 0;     ///< excess / root mean square spread of the observed projections: 0.05 means "5 % of the spread"
  double energy = 0;       ///< unbiased energy distance, mean over the directions, data units
};

/// Half of the directions are uniform on the sphere, half are drawn from N(0, Cov(observed)): in a thousand
/// dimensions of mostly noise a uniform direction hardly sees the few in which the signal lives.
struct GapOptions {
  std::int64_t directions = 256;
};

/// Holds the observed sample's directions, sorted projections and floor, so that a comparison costs one projection and one sort
/// (2,000 × 1,024: about 0.1 s on one core). The observed rows must not be those that the simulated ones were restored from.
class ConsistencyGap {
 public:
  /// observed_BD [B, D] floating, B ≥ 8. Throws ShapeError, DataError (NaN or infinity).
  explicit ConsistencyGap(const at::Tensor& observed_BD, RandomKey key = default_metric_key(), GapOptions options = {});

  /// simulated_ND [N, D], N ≥ 2 of any size. A non-finite simulation gives infinite figures instead of an exception, because a
  /// diverging run must be able to log it.
  GapResult operator()(const at::Tensor& simulated_ND) const { return operator()(simulated_ND, {}); }

  /// With own_ND, the observations that row by row were restored and simulated again, their distance to the observed sample is the floor.
  /// What a few rows differ from others by chance is in both and drops out, so that a few dozen rows of images are enough.
  GapResult operator()(const at::Tensor& simulated_ND, const at::Tensor& own_ND) const;

 private:
  double floor_squared(std::int64_t simulated_rows, const at::Tensor& own_ND) const;

  at::Tensor directions_PD_;
  at::Tensor observed_sorted_PB_;
  double unit_floor_squared_ = 0;  // floor² = unit_floor_squared_ · (1/N + 1/B)
  double spread_ = 0;
  std::int64_t rows_ = 0;
};

/// One comparison; use the class where the observed sample stays the same. own_ND as there, or undefined.
GapResult consistency_gap(const at::Tensor& simulated_ND, const at::Tensor& observed_BD, const at::Tensor& own_ND = {},
                          RandomKey key = default_metric_key());

}  // namespace unchannel::metrics
