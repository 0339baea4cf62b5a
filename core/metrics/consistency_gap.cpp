#include "consistency_gap.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>

#include "sliced_distance.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

at::Tensor gap_directions(const at::Tensor& observed_BD, std::int64_t count, RandomKey key) {
  const std::int64_t uniform = (count + 1) / 2, weighted = count - uniform;
  const at::Tensor uniform_PD = fixed_directions(observed_BD.size(1), uniform, key.derive(1));
  if (weighted == 0) return uniform_PD;
  const at::Tensor mix_PB = fixed_directions(observed_BD.size(0), weighted, key.derive(2));
  const at::Tensor weighted_PD = at::matmul(mix_PB, observed_BD - observed_BD.mean(0));
  return at::cat({uniform_PD, weighted_PD / weighted_PD.norm(2, {1}, true).clamp_min(1e-30)}, 0);
}

}  // namespace

ConsistencyGap::ConsistencyGap(const at::Tensor& observed_BD, RandomKey key, GapOptions options) {
  check<ShapeError>(observed_BD.dim() == 2 && observed_BD.size(0) >= 8, "metrics: the consistency gap needs at least 8 held-out observations [B, D].");
  check<DataError>(observed_BD.isfinite().all().item<bool>(), "metrics: held-out observations hold NaN or infinity; fill masked pixels first.");
  const at::Tensor observed = observed_BD.to(at::kCPU, at::kFloat);
  rows_ = observed.size(0);
  directions_PD_ = gap_directions(observed, options.directions, key);
  const at::Tensor projected_PB = at::matmul(directions_PD_, observed.t());
  observed_sorted_PB_ = sort_rows(projected_PB);
  spread_ = std::sqrt(projected_PB.to(at::kDouble).var(1, false).mean().item<double>());
  // E W2² between two samples of one law falls as 1/N + 1/M: measured between odd and even rows, scaled to the sizes in use.
  const std::int64_t half = rows_ / 2;
  const at::Tensor odd = sort_rows(projected_PB.slice(1, 1, 2 * half, 2)), even = sort_rows(projected_PB.slice(1, 0, 2 * half, 2));
  unit_floor_squared_ = wasserstein2_squared(odd, even).mean().item<double>() * static_cast<double>(half) / 2;
}

double ConsistencyGap::floor_squared(std::int64_t simulated_rows, const at::Tensor& own_ND) const {
  if (!own_ND.defined()) return unit_floor_squared_ * (1.0 / static_cast<double>(simulated_rows) + 1.0 / static_cast<double>(rows_));
  const at::Tensor own_sorted_PN = sorted_projections(own_ND.to(at::kCPU, at::kFloat), directions_PD_);
  return wasserstein2_squared(own_sorted_PN, observed_sorted_PB_).mean().item<double>();
}

GapResult ConsistencyGap::operator()(const at::Tensor& simulated_ND, const at::Tensor& own_ND) const {
  check<ShapeError>(simulated_ND.dim() == 2 && simulated_ND.size(0) >= 2 && simulated_ND.size(1) == directions_PD_.size(1),
                    "metrics: simulated observations must be [N, {}] with N of at least 2, like the held-out ones.", directions_PD_.size(1));
  check<ShapeError>(!own_ND.defined() || own_ND.sizes() == simulated_ND.sizes(),
                    "metrics: each simulated observation needs the one it was restored from; {} and {} rows.", simulated_ND.size(0),
                    own_ND.defined() ? own_ND.size(0) : 0);
  const at::Tensor simulated = simulated_ND.to(at::kCPU, at::kFloat);
  const double floor_squared = this->floor_squared(simulated.size(0), own_ND);
  if (!simulated.isfinite().all().item<bool>()) {
    const double infinite = std::numeric_limits<double>::infinity();
    return {infinite, std::sqrt(floor_squared), infinite, infinite, infinite, infinite};
  }
  GapResult result;
  const at::Tensor simulated_sorted_PN = sorted_projections(simulated, directions_PD_);
  const double squared = wasserstein2_squared(simulated_sorted_PN, observed_sorted_PB_).mean().item<double>();
  result.sliced_w2 = std::sqrt(squared);
  result.floor = std::sqrt(floor_squared);
  result.excess_squared = squared - floor_squared;
  result.excess = std::sqrt(std::max(result.excess_squared, 0.0));
  result.relative = spread_ > 0 ? result.excess / spread_ : std::numeric_limits<double>::infinity();
  result.energy = energy_of_sorted(simulated_sorted_PN, observed_sorted_PB_).mean().item<double>();
  return result;
}

GapResult consistency_gap(const at::Tensor& simulated_ND, const at::Tensor& observed_BD, const at::Tensor& own_ND, RandomKey key) {
  return ConsistencyGap(observed_BD, key)(simulated_ND, own_ND);
}

}  // namespace unchannel::metrics
