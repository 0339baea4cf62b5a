#include "residual_pvalue.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>

// Further letters: R = m + 1 rows of an object, the observation first
namespace unchannel::diagnostics {
namespace {

// Running mean over the valid pixels among `width` neighbours, cut at the ends: [B, R, M] → [B, R, M] float64; 0 where there is none.
at::Tensor running_mean(const at::Tensor& x_BRM, const at::Tensor& valid_BM, std::int64_t width) {
  const std::int64_t M = x_BRM.size(2);
  const at::Tensor first_M = (at::arange(M, at::kLong) - width / 2).clamp(0, M), last_M = (at::arange(M, at::kLong) - width / 2 + width).clamp(0, M);
  const auto sums = [&](const at::Tensor& x) {
    std::vector<std::int64_t> shape = x.sizes().vec();
    shape.back() = 1;
    const at::Tensor total = at::cat({at::zeros(shape, at::kDouble), x.to(at::kDouble).cumsum(-1)}, -1);
    return total.index_select(-1, last_M) - total.index_select(-1, first_M);
  };
  return sums(x_BRM * valid_BM.unsqueeze(1)) / sums(valid_BM).clamp_min(1).unsqueeze(1);
}

// Standardised distance of every row from the mean of all rows of its object, for one band of scales: [B, R].
at::Tensor distances(const at::Tensor& band_BRM, const at::Tensor& valid_BM) {
  const at::Tensor centred = band_BRM - band_BRM.mean(1, true);
  const at::Tensor variance = centred.square().mean(1, true);
  // A pixel that never varies (a channel without noise there) carries no information.
  const at::Tensor use = valid_BM.to(at::kBool).unsqueeze(1) & (variance > 0);
  const at::Tensor T_BR = at::where(use, centred.square() / variance, at::zeros({}, at::kDouble)).sum(2);
  return (T_BR - T_BR.mean(1, true)) / T_BR.std({1}, false, true).clamp_min(1e-300);
}

// Largest standardised distance over the bands [w1, w2), [w2, w3), … [last, ∞).
at::Tensor statistics(const at::Tensor& rows_BRM, const at::Tensor& valid_BM, const std::vector<std::int64_t>& widths) {
  at::Tensor largest_BR, smooth = running_mean(rows_BRM, valid_BM, widths.front());
  for (std::size_t k = 0; k < widths.size(); ++k) {
    const at::Tensor wider = k + 1 < widths.size() ? running_mean(rows_BRM, valid_BM, widths[k + 1]) : at::zeros_like(smooth);
    const at::Tensor distance_BR = distances(smooth - wider, valid_BM);
    largest_BR = k == 0 ? distance_BR : at::maximum(largest_BR, distance_BR);
    smooth = wider;
  }
  return largest_BR;
}

Latents rows_of(const Latents& latents, std::int64_t begin, std::int64_t end) {
  Latents part;
  for (const auto& [name, value] : latents) part.emplace(name, value.slice(0, begin, end).contiguous());
  return part;
}

}  // namespace

at::Tensor residual_pvalues(const Channel& channel, const at::Tensor& x_BD, const at::Tensor& y_BM, const Latents& given, RandomKey key,
                            const at::Tensor& ids_B, const at::Tensor& valid_BM, const ResidualPvalueOptions& options) {
  check<ShapeError>(x_BD.dim() == 2 && y_BM.dim() == 2 && x_BD.size(0) == y_BM.size(0), "diagnostics: {} restorations and {} observations; there must be one each.",
                    x_BD.size(0), y_BM.size(0));
  const std::int64_t B = y_BM.size(0), M = y_BM.size(1);
  check<ShapeError>(ids_B.dim() == 1 && ids_B.size(0) == B, "diagnostics: {} objects need as many ids.", B);
  check<ShapeError>(!valid_BM.defined() || valid_BM.sizes() == y_BM.sizes(), "diagnostics: the mask must have the observations' shape.");
  check<ConfigError>(options.replicas >= 1 && options.batch >= 1 && !options.widths.empty() &&
                         std::ranges::all_of(options.widths, [M](std::int64_t width) { return width >= 1 && width <= M; }) &&
                         std::ranges::is_sorted(options.widths),
                     "diagnostics: p-values need at least 1 replica, a batch of at least 1 and rising widths between 1 and {} pixels.", M);
  for (const auto& [name, value] : given)
    check<ShapeError>(value.dim() >= 1 && value.size(0) == B, "diagnostics: latent '{}' must have {} rows, one for each object.", name, B);

  const std::int64_t R = options.replicas + 1;
  at::Tensor p_B = at::empty({B}, at::kDouble);
  for (std::int64_t begin = 0; begin < B; begin += options.batch) {
    const std::int64_t end = std::min(begin + options.batch, B);
    const at::Tensor x = x_BD.slice(0, begin, end).contiguous(), ids = ids_B.slice(0, begin, end).contiguous();
    const at::Tensor valid = valid_BM.defined() ? valid_BM.slice(0, begin, end).to(at::kBool) : at::full({end - begin, M}, true, at::kBool);
    const Latents latents = rows_of(given, begin, end);
    at::Tensor rows_BRM = at::empty({end - begin, R, M}, at::kFloat);
    rows_BRM.select(1, 0).copy_(at::where(valid, y_BM.slice(0, begin, end).to(at::kFloat), at::zeros({}, at::kFloat)));
    const FailureWatch watch(channel);
    for (std::int64_t r = 1; r < R; ++r)  // one key a replica, ids as they are: the same numbers for any batch
      rows_BRM.select(1, r).copy_(measure(channel, x, latents, key.derive(static_cast<std::uint64_t>(r)), ids).reshape({end - begin, M}));
    rows_BRM = at::where(valid.unsqueeze(1), rows_BRM, at::zeros({}, at::kFloat));
    check<DataError>(rows_BRM.isfinite().all().item<bool>(), "diagnostics: an observation or a re-simulated one holds NaN or infinity.");
    const at::Tensor statistic_BR = statistics(rows_BRM, valid.to(at::kFloat), options.widths);
    const at::Tensor at_least = (statistic_BR.slice(1, 1, R) >= statistic_BR.slice(1, 0, 1)).sum(1).to(at::kDouble);
    p_B.slice(0, begin, end).copy_((at_least + 1) / static_cast<double>(R));
    if (const at::Tensor weight = watch.weight_B(end - begin); weight.defined()) p_B.slice(0, begin, end).masked_fill_(weight.eq(0), NAN);
  }
  return p_B;
}

}  // namespace unchannel::diagnostics
