#include "sliced_distance.hpp"

#include <ATen/Parallel.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>

#include "pixel_errors.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

void check_sample(const at::Tensor& x, std::int64_t dimension, const char* name) {
  check<ShapeError>(x.dim() == 2 && x.size(0) > 0 && x.size(1) == dimension, "metrics: {} must be [N, {}] like the directions.", name, dimension);
}

/// Calls `measure` with blocks of the directions, so that memory does not grow with their number; it returns one squared distance a
/// direction, [block] or several [block, …]; the blocks come back joined.
template <class Measure>
at::Tensor by_blocks(const at::Tensor& directions_PD, std::int64_t objects, std::int64_t numbers_at_once, const Measure& measure) {
  const std::int64_t block = std::max<std::int64_t>(1, numbers_at_once / std::max<std::int64_t>(1, objects));
  if (directions_PD.size(0) <= block) return measure(directions_PD);
  std::vector<at::Tensor> parts;
  for (const at::Tensor& part_PD : directions_PD.split(block)) parts.push_back(measure(part_PD));
  return at::cat(parts);
}

/// Of one column; contiguous, because the order of summation follows the layout.
double mean_of(const at::Tensor& squared_P) { return squared_P.contiguous().mean().item<double>(); }

double excess_of(double squared, double floor_squared) { return std::sqrt(std::max(squared - floor_squared, 0.0)); }

}  // namespace

at::Tensor fixed_directions(std::int64_t dimension, std::int64_t count, RandomKey key) {
  check<ConfigError>(dimension >= 1 && count >= 1, "metrics: directions need a dimension and a count of at least 1.");
  at::Tensor directions_PD = at::empty({count, dimension}, at::kFloat);
  for (std::int64_t p = 0; p < count; ++p)
    key.normal(static_cast<std::uint64_t>(p), 0, static_cast<std::uint32_t>(dimension), directions_PD.mutable_data_ptr<float>() + p * dimension);
  return directions_PD / directions_PD.norm(2, {1}, true);
}

at::Tensor sorted_projections(const at::Tensor& x_ND, const at::Tensor& directions_PD) {
  check_sample(x_ND, directions_PD.size(1), "a sample");
  return sort_rows(at::matmul(directions_PD.to(at::kFloat), x_ND.to(at::kFloat).t()));
}

at::Tensor sort_rows(const at::Tensor& x_PN) {
  // Values alone: at::sort carries an index for every element and takes three times as long.
  at::Tensor sorted_PN = x_PN.to(at::kFloat).clone(at::MemoryFormat::Contiguous);
  const std::int64_t N = sorted_PN.size(1);
  float* data = sorted_PN.mutable_data_ptr<float>();
  check<DataError>(sorted_PN.isfinite().all().item<bool>(), "metrics: a sample holds NaN or infinity; mask or remove those objects first.");
  at::parallel_for(0, sorted_PN.size(0), 1, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t p = first; p < last; ++p) std::sort(data + p * N, data + (p + 1) * N);
  });
  return sorted_PN;
}

at::Tensor wasserstein2_squared(const at::Tensor& sorted_PN, const at::Tensor& sorted_PM) {
  check<ShapeError>(sorted_PN.dim() == 2 && sorted_PM.dim() == 2 && sorted_PN.size(0) == sorted_PM.size(0),
                    "metrics: both samples must be projected on the same directions.");
  const std::int64_t N = sorted_PN.size(1), M = sorted_PM.size(1);
  if (N == M) return (sorted_PN.to(at::kDouble) - sorted_PM.to(at::kDouble)).square().mean(1);
  // Steps of the two quantile functions merged, in units of 1 / (N M): piece k lies in step i[k] of one and j[k] of the other.
  at::Tensor i = at::empty({N + M}, at::kLong), j = at::empty({N + M}, at::kLong), width = at::zeros({N + M}, at::kDouble);
  std::int64_t* i_data = i.mutable_data_ptr<std::int64_t>();
  std::int64_t* j_data = j.mutable_data_ptr<std::int64_t>();
  double* width_data = width.mutable_data_ptr<double>();
  std::int64_t a = 0, b = 0, at_now = 0, pieces = 0;
  while (a < N && b < M) {
    const std::int64_t end_a = (a + 1) * M, end_b = (b + 1) * N, end = std::min(end_a, end_b);
    i_data[pieces] = a;
    j_data[pieces] = b;
    width_data[pieces++] = static_cast<double>(end - at_now) / (static_cast<double>(N) * static_cast<double>(M));
    at_now = end;
    if (end_a == end) ++a;
    if (end_b == end) ++b;
  }
  i = i.slice(0, 0, pieces);
  j = j.slice(0, 0, pieces);
  at::Tensor result_P = at::empty({sorted_PN.size(0)}, at::kDouble);
  for (std::int64_t p = 0; p < sorted_PN.size(0); ++p) {  // direction by direction: the reference may hold 1e5 objects
    const at::Tensor difference = sorted_PN[p].index_select(0, i).to(at::kDouble) - sorted_PM[p].index_select(0, j).to(at::kDouble);
    result_P[p] = difference.square_().dot(width.slice(0, 0, pieces));
  }
  return result_P;
}

at::Tensor energy_of_sorted(const at::Tensor& sorted_PN, const at::Tensor& sorted_PM) {
  const std::int64_t P = sorted_PN.size(0), N = sorted_PN.size(1), M = sorted_PM.size(1);
  check<ShapeError>(P == sorted_PM.size(0) && N >= 2 && M >= 2, "metrics: the energy distance needs two samples of at least 2 on the same directions.");
  const at::Tensor a_PN = sorted_PN.to(at::kFloat).contiguous(), b_PM = sorted_PM.to(at::kFloat).contiguous();
  // Σ_{i<j} (x_j − x_i) of a sorted row is Σ_i (2i − n + 1) x_i.
  const auto within = [](const float* x, std::int64_t n) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(2 * i - n + 1) * static_cast<double>(x[i]);
    return 2 * sum / (static_cast<double>(n) * static_cast<double>(n - 1));
  };
  at::Tensor result_P = at::empty({P}, at::kDouble);
  for (std::int64_t p = 0; p < P; ++p) {
    const float* a = a_PN.const_data_ptr<float>() + p * N;
    const float* b = b_PM.const_data_ptr<float>() + p * M;
    double total = 0, below = 0, cross = 0;  // sums of all b, of the b below a[i], of |a − b|
    for (std::int64_t j = 0; j < M; ++j) total += static_cast<double>(b[j]);
    std::int64_t j = 0;
    for (std::int64_t i = 0; i < N; ++i) {
      for (; j < M && b[j] < a[i]; ++j) below += static_cast<double>(b[j]);
      cross += static_cast<double>(2 * j - M) * static_cast<double>(a[i]) + total - 2 * below;
    }
    result_P.mutable_data_ptr<double>()[p] = 2 * cross / (static_cast<double>(N) * static_cast<double>(M)) - within(a, N) - within(b, M);
  }
  return result_P;
}

double sliced_w2(const at::Tensor& a_ND, const at::Tensor& b_MD, const at::Tensor& directions_PD, std::int64_t numbers_at_once) {
  check_sample(a_ND, directions_PD.size(1), "the first sample");
  check_sample(b_MD, directions_PD.size(1), "the second sample");
  return std::sqrt(mean_of(by_blocks(directions_PD, a_ND.size(0) + b_MD.size(0), numbers_at_once, [&](const at::Tensor& part_PD) {
    return wasserstein2_squared(sorted_projections(a_ND, part_PD), sorted_projections(b_MD, part_PD));
  })));
}

ExcessDistance excess_sliced_w2(const at::Tensor& sample_ND, const at::Tensor& reference_MD, const at::Tensor& clean_ND,
                                const at::Tensor& directions_PD, std::int64_t numbers_at_once) {
  const std::int64_t rows = sample_ND.size(0);
  check<ShapeError>(
      rows > 0 && clean_ND.size(0) > 0 && clean_ND.size(0) % rows == 0 && clean_ND.size(1) == sample_ND.size(1),
      "metrics: the clean sample is {} x {} and the sample {} x {}; the floor holds for one size, so it must be whole sets of it.",
      clean_ND.size(0), clean_ND.size(1), rows, sample_ND.size(1));
  const std::int64_t sets = clean_ND.size(0) / rows;
  // One row for the sample and one for each clean set, so that the reference is projected and sorted once.
  const at::Tensor squared_PS = by_blocks(directions_PD, rows + reference_MD.size(0), numbers_at_once, [&](const at::Tensor& part_PD) {
    const at::Tensor reference = sorted_projections(reference_MD, part_PD);
    std::vector<at::Tensor> of_sets = {wasserstein2_squared(sorted_projections(sample_ND, part_PD), reference)};
    for (const at::Tensor& set_ND : clean_ND.chunk(sets))
      of_sets.push_back(wasserstein2_squared(sorted_projections(set_ND, part_PD), reference));
    return at::stack(of_sets, 1);
  });
  const double squared = mean_of(squared_PS.select(1, 0));
  double floor_squared = 0;
  for (std::int64_t set = 1; set <= sets; ++set) floor_squared += mean_of(squared_PS.select(1, set)) / static_cast<double>(sets);
  return {std::sqrt(squared), std::sqrt(floor_squared), excess_of(squared, floor_squared)};
}

ExcessDistance excess_sliced_w2_paired(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& directions_PD,
                                       std::int64_t numbers_at_once) {
  check_pair(restored_ND, truth_ND, "restored", "truth");
  const std::int64_t half = truth_ND.size(0) / 2;
  check<ShapeError>(half >= 2, "metrics: the excess distance needs at least 4 objects, not {}.", truth_ND.size(0));
  // Odd and even rows: files are often ordered (by time, by redshift), halves of a file are not exchangeable.
  const auto rows = [half](const at::Tensor& x, std::int64_t first) { return x.slice(0, first, 2 * half, 2); };
  const at::Tensor squared_P3 = by_blocks(directions_PD, 3 * half, numbers_at_once, [&](const at::Tensor& part_PD) {
    const at::Tensor truth[2] = {sorted_projections(rows(truth_ND, 0), part_PD), sorted_projections(rows(truth_ND, 1), part_PD)};
    const auto to_restored = [&](int side) {
      return wasserstein2_squared(sorted_projections(rows(restored_ND, side), part_PD), truth[1 - side]);
    };
    return at::stack({wasserstein2_squared(truth[0], truth[1]), to_restored(0), to_restored(1)}, 1);
  });
  const double floor_squared = mean_of(squared_P3.select(1, 0));
  const double squared = 0.5 * mean_of(squared_P3.select(1, 1)) + 0.5 * mean_of(squared_P3.select(1, 2));
  return {std::sqrt(squared), std::sqrt(floor_squared), excess_of(squared, floor_squared)};
}

}  // namespace unchannel::metrics
