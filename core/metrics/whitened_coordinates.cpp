#include "whitened_coordinates.hpp"

#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_qr.h>

#include <algorithm>
#include <unchannel/base/error.hpp>

#include "sliced_distance.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

constexpr std::int64_t kRowsForDirections = 1024;  // of high-dimensional rows: seconds where thousands would take minutes

/// Directions [D, Q], orthonormal.
at::Tensor directions_of(const at::Tensor& centred_ND, std::int64_t Q, RandomKey key) {
  const std::int64_t D = centred_ND.size(1);
  if (Q == D) return principal_directions(centred_ND, D);
  const std::int64_t leading = (Q + 1) / 2;
  const at::Tensor leading_DK = principal_directions(centred_ND.slice(0, 0, kRowsForDirections), leading);
  if (leading == Q) return leading_DK;
  const at::Tensor random_DR = fixed_directions(D, Q - leading, key).to(at::kDouble).t();
  return std::get<0>(at::linalg_qr(at::cat({leading_DK, random_DR}, 1)));
}

}  // namespace

at::Tensor principal_directions(const at::Tensor& centred_ND, std::int64_t count) {
  const std::int64_t N = centred_ND.size(0), D = centred_ND.size(1);
  if (D <= N) return std::get<1>(at::linalg_eigh(centred_ND.t().matmul(centred_ND))).slice(1, D - count, D);
  const at::Tensor vectors_NK = std::get<1>(at::linalg_eigh(centred_ND.matmul(centred_ND.t()))).slice(1, N - count, N);
  return std::get<0>(at::linalg_qr(centred_ND.t().matmul(vectors_NK)));
}

WhitenedCoordinates::WhitenedCoordinates(const at::Tensor& observed_ND, std::int64_t most, RandomKey key) {
  check<ShapeError>(observed_ND.dim() == 2 && observed_ND.size(0) >= 8 && observed_ND.size(1) >= 1 && most >= 1,
                    "metrics: whitened coordinates need at least 8 rows [N, D] and room for 1 coordinate.");
  const at::Tensor observed = observed_ND.to(at::kCPU, at::kDouble);
  check<DataError>(observed.isfinite().all().item<bool>(), "metrics: observations hold NaN or infinity; fill masked pixels first.");
  const std::int64_t N = observed.size(0), D = observed.size(1);
  mean_D_ = observed.mean(0);
  const at::Tensor centred_ND = observed - mean_D_;
  const at::Tensor directions_DQ = directions_of(centred_ND, std::clamp<std::int64_t>(N / 8, 1, std::min(most, D)), key);
  const at::Tensor projected_NQ = centred_ND.matmul(directions_DQ);
  const auto [variance_Q, vectors_QQ] = at::linalg_eigh(projected_NQ.t().matmul(projected_NQ) / static_cast<double>(N));
  const double least = std::max(kFloor * variance_Q.mean().item<double>(), 1e-300);  // all rows equal: coordinates are 0
  map_DQ_ = directions_DQ.matmul(vectors_QQ) / variance_Q.clamp_min(least).sqrt();
}

at::Tensor WhitenedCoordinates::operator()(const at::Tensor& rows_BD) const {
  check<ShapeError>(rows_BD.dim() == 2 && rows_BD.size(1) == mean_D_.size(0),
                    "metrics: rows must be [B, {}] like those the coordinates are made from.", mean_D_.size(0));
  return (rows_BD.to(at::kCPU, at::kDouble) - mean_D_).matmul(map_DQ_);
}

}  // namespace unchannel::metrics
