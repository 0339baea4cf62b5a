#include "posterior_ranks.hpp"

#include <ATen/ops/igammac.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <span>

#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

/// Rank of value [N, K] among others [N, S, K].
at::Tensor ranks_among(const at::Tensor& value_NK, const at::Tensor& others_NSK, RandomKey key) {
  const at::Tensor below_NK = others_NSK.lt(value_NK.unsqueeze(1)).sum(1);
  const at::Tensor equal_NK = others_NSK.eq(value_NK.unsqueeze(1)).sum(1);
  at::Tensor u_NK = at::empty(value_NK.sizes(), at::kFloat);
  const std::int64_t width = value_NK.size(1);
  for (std::int64_t n = 0; n < value_NK.size(0); ++n) {
    key.uniform(static_cast<std::uint64_t>(n), 0, static_cast<std::uint32_t>(width), u_NK.mutable_data_ptr<float>() + n * width);
  }
  const at::Tensor among_equals_NK = (u_NK * (equal_NK + 1)).floor().to(at::kLong);
  return below_NK + at::minimum(among_equals_NK, equal_NK);
}

void check_draws(const at::Tensor& truth, const at::Tensor& draws) {
  check<ShapeError>(truth.dim() == 2 && draws.dim() == 3 && draws.size(0) == truth.size(0) && draws.size(2) == truth.size(1) && draws.size(1) > 0,
                    "metrics: posterior ranks need truths [N, K] and draws [N, S, K] of the same objects.");
  check<DataError>(truth.isfinite().all().item<bool>() && draws.isfinite().all().item<bool>(),
                   "metrics: truths or draws hold NaN or infinity; mask or remove those objects first.");
}

}  // namespace

at::Tensor posterior_ranks(const at::Tensor& truth_NK, const at::Tensor& draws_NSK, RandomKey key) {
  check_draws(truth_NK, draws_NSK);
  return ranks_among(truth_NK, draws_NSK, key);
}

at::Tensor tarp_ranks(const at::Tensor& truth_ND, const at::Tensor& draws_NSD, const at::Tensor& reference_ND, RandomKey key) {
  check_draws(truth_ND, draws_NSD);
  check<ShapeError>(reference_ND.sizes() == truth_ND.sizes(), "metrics: reference points must be [N, D] like the truths.");
  const at::Tensor truth_N = (truth_ND - reference_ND).square().sum(1, false, at::kDouble);
  const at::Tensor draws_NS = (draws_NSD - reference_ND.unsqueeze(1)).square().sum(2, false, at::kDouble);
  return ranks_among(truth_N.unsqueeze(1), draws_NS.unsqueeze(2), key).squeeze(1);
}

at::Tensor inside_central_interval(const at::Tensor& ranks, std::int64_t samples, double level) {
  check<ConfigError>(level > 0 && level < 1, "metrics: an interval's probability must lie between 0 and 1, not be {}.", level);
  const double positions = static_cast<double>(samples + 1), low = positions * (1 - level) / 2, high = positions - low;
  const at::Tensor begin = ranks.to(at::kDouble);
  return ((begin + 1).clamp_max(high) - begin.clamp_min(low)).clamp_min(0.0);
}

RankTest rank_test(const at::Tensor& ranks_N, std::int64_t samples, std::int64_t bins) {
  constexpr std::int64_t kLeastExpected = 5;
  const std::int64_t count = ranks_N.numel(), values = samples + 1;
  check<ShapeError>(count >= 2 * kLeastExpected, "metrics: {} ranks are too few for a test; give at least {}.", count, 2 * kLeastExpected);
  const std::int64_t used = std::clamp<std::int64_t>(std::min(bins, count / kLeastExpected), 2, values);
  RankTest result;
  result.counts.assign(static_cast<std::size_t>(used), 0.0);
  result.expected = result.counts;
  const auto bin_of = [&](std::int64_t rank) { return static_cast<std::size_t>(rank * used / values); };
  for (std::int64_t rank = 0; rank < values; ++rank) result.expected[bin_of(rank)] += static_cast<double>(count) / static_cast<double>(values);
  const at::Tensor flat_N = ranks_N.to(at::kLong).contiguous();
  for (const std::int64_t rank : std::span(flat_N.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(count))) {
    check<ShapeError>(rank >= 0 && rank <= samples, "metrics: a rank among {} draws is {}.", samples, rank);
    result.counts[bin_of(rank)] += 1;
  }
  for (std::size_t bin = 0; bin < result.counts.size(); ++bin) {
    const double off = result.counts[bin] - result.expected[bin];
    result.chi_squared += off * off / result.expected[bin];
  }
  const at::Tensor half_freedom = at::tensor({0.5 * static_cast<double>(used - 1)}, at::kDouble);
  result.p_value = at::igammac(half_freedom, at::tensor({0.5 * result.chi_squared}, at::kDouble)).item<double>();
  return result;
}

}  // namespace unchannel::metrics
