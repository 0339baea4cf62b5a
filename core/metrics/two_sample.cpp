#include "two_sample.hpp"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

at::Tensor even_subset(const at::Tensor& x_ND, std::int64_t max_rows) {
  if (x_ND.size(0) <= max_rows) return x_ND.to(at::kDouble);
  const at::Tensor rows = (at::arange(max_rows, at::kLong) * x_ND.size(0)).div(max_rows, "floor");
  return x_ND.index_select(0, rows).to(at::kDouble);
}

// Three matrices of squared distances, [N, N], [N, M], [M, M].
struct Distances {
  at::Tensor aa, ab, bb;
};

at::Tensor squared_distances(const at::Tensor& a, const at::Tensor& b) {
  at::Tensor result = at::addmm(a.square().sum(1, true) + b.square().sum(1), a, b.t(), 1, -2);
  return result.clamp_min_(0);
}

Distances distances(const at::Tensor& a_ND, const at::Tensor& b_MD, const TwoSampleOptions& options) {
  check<ShapeError>(a_ND.dim() == 2 && b_MD.dim() == 2 && a_ND.size(1) == b_MD.size(1), "metrics: two samples must be [N, D] and [M, D] with one D.");
  check<ShapeError>(a_ND.size(0) >= 2 && b_MD.size(0) >= 2, "metrics: a two-sample distance needs at least 2 objects in each sample.");
  check<ShapeError>(!options.paired || a_ND.size(0) == b_MD.size(0), "metrics: paired samples must have the same number of objects ({} and {}).",
                    a_ND.size(0), b_MD.size(0));
  check<ConfigError>(options.max_rows >= 2, "metrics: max_rows must be at least 2, not {}.", options.max_rows);
  at::Tensor a = even_subset(a_ND, options.max_rows), b = even_subset(b_MD, options.max_rows);
  const at::Tensor centre = b.mean(0);  // distances do not change, but the expansion |a|² + |b|² − 2ab cancels less
  a = a - centre;
  b = b - centre;
  check<DataError>(a.isfinite().all().item<bool>() && b.isfinite().all().item<bool>(),
                   "metrics: a sample holds NaN or infinity; mask or remove those objects first.");
  return {squared_distances(a, a), squared_distances(a, b), squared_distances(b, b)};
}

// Mean over pairs i ≠ j of a square matrix of kernel values.
double off_diagonal_mean(const at::Tensor& k) {
  const double n = static_cast<double>(k.size(0));
  return ((k.sum() - k.diagonal().sum()).item<double>()) / (n * (n - 1));
}

}  // namespace

double energy_distance(const at::Tensor& a_ND, const at::Tensor& b_MD, const TwoSampleOptions& options) {
  Distances d = distances(a_ND, b_MD, options);
  d.aa.diagonal().zero_();  // rounding of the expansion leaves 1e-7 there, and the root enlarges it
  d.bb.diagonal().zero_();
  const at::Tensor cross = d.ab.sqrt_();
  const double cross_mean = options.paired ? off_diagonal_mean(cross) : cross.mean().item<double>();
  return 2 * cross_mean - off_diagonal_mean(d.aa.sqrt_()) - off_diagonal_mean(d.bb.sqrt_());
}

MmdResult mmd(const at::Tensor& a_ND, const at::Tensor& b_MD, const TwoSampleOptions& options) {
  const Distances d = distances(a_ND, b_MD, options);
  const std::int64_t M = d.bb.size(0);
  // The matrix is symmetric with M zeros on the diagonal: the median of the pairs above it, the lower one of an even number.
  const std::int64_t pairs = M * (M - 1) / 2, rank = M + 2 * ((pairs - 1) / 2) + 1;
  d.bb.diagonal().zero_();
  const double median_squared = std::get<0>(d.bb.flatten().kthvalue(rank)).item<double>();
  check<NumericalError>(median_squared > 0, "metrics: more than half of the truth's objects are equal, so the kernel has no width.");
  const auto kernel = [median_squared](const at::Tensor& squared) { return (squared / (-2 * median_squared)).exp_(); };
  const at::Tensor cross = kernel(d.ab);
  MmdResult result;
  result.mmd_squared = off_diagonal_mean(kernel(d.aa)) + off_diagonal_mean(kernel(d.bb)) -
                       2 * (options.paired ? off_diagonal_mean(cross) : cross.mean().item<double>());
  result.mmd = std::sqrt(std::max(result.mmd_squared, 0.0));
  result.bandwidth = std::sqrt(median_squared);
  return result;
}

}  // namespace unchannel::metrics
