#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "bootstrap.hpp"

// Shape legend: N, B rows · D observation dimensions · Q coordinates
namespace unchannel::metrics {

/// The `count` leading principal directions of centred rows [N, D] float64, orthonormal columns [D, count] by rising variance; count ≤
/// min(N, D). Cost: the smaller of N²D and D²N.
at::Tensor principal_directions(const at::Tensor& centred_ND, std::int64_t count);

/// Coordinates in which laws of observations are compared: on the rows they are made from, mean 0, variance 1, uncorrelated. A wrong noise
/// level in a subspace of little variance, or a wrong kernel at high frequencies, shows there as clearly as an error in the leading
/// directions.
///
/// Q = min(most, D, N/8), at least 1. Where Q = D they are all principal directions; else one half are the leading ones and the others
/// random directions across them, which see what is left. Variances below kFloor times their mean are taken as that much: what differs by
/// less in a direction in which hardly anything happens is no finding.
class WhitenedCoordinates {
 public:
  static constexpr double kFloor = 1e-4;

  /// observed_ND [N, D], N ≥ 8, finite. Cost: D²N where Q = D, else at most 1,024 ND and NQD. Throws ShapeError, DataError.
  WhitenedCoordinates(const at::Tensor& observed_ND, std::int64_t most, RandomKey key = default_metric_key());

  std::int64_t count() const { return map_DQ_.size(1); }
  /// [B, D] → [B, Q] float64.
  at::Tensor operator()(const at::Tensor& rows_BD) const;

 private:
  at::Tensor mean_D_, map_DQ_;  // float64
};

}  // namespace unchannel::metrics
