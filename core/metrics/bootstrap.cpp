#include "bootstrap.hpp"

#include <algorithm>
#include <unchannel/base/error.hpp>
#include <vector>

#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

// Share of the draws that fell on each object, [R, N] float64: multinomial weights of a bootstrap resample.
at::Tensor resample_weights(std::int64_t objects, RandomKey key, std::int64_t resamples) {
  at::Tensor weights_RN = at::zeros({resamples, objects}, at::kDouble);
  std::vector<float> uniform(static_cast<std::size_t>(objects));
  for (std::int64_t r = 0; r < resamples; ++r) {
    key.uniform(static_cast<std::uint64_t>(r), 0, static_cast<std::uint32_t>(objects), uniform.data());
    double* row = weights_RN.mutable_data_ptr<double>() + r * objects;
    for (float u : uniform) row[std::min<std::int64_t>(static_cast<std::int64_t>(static_cast<double>(u) * static_cast<double>(objects)), objects - 1)] += 1;
  }
  return weights_RN / static_cast<double>(objects);
}

}  // namespace

RandomKey default_metric_key() { return RandomKey(0x756e6368616e6e65ULL).derive(Purpose::kMetric); }

Estimate bootstrap(const at::Tensor& values_NK, const std::function<at::Tensor(const at::Tensor&)>& statistic, RandomKey key,
                   std::int64_t resamples) {
  check<ShapeError>(values_NK.dim() == 2 && values_NK.size(0) > 0, "metrics: bootstrap needs a non-empty [N, K] matrix of per-object values.");
  check<ConfigError>(resamples >= 2, "metrics: bootstrap needs at least 2 resamples, not {}.", resamples);
  const at::Tensor values = values_NK.to(at::kCPU, at::kDouble);
  Estimate result;
  result.value = statistic(values.mean(0, true)).item<double>();
  result.standard_error = statistic(at::matmul(resample_weights(values.size(0), key, resamples), values)).std().item<double>();
  return result;
}

Estimate bootstrap_mean(const at::Tensor& values_N, RandomKey key, std::int64_t resamples) {
  return bootstrap(values_N.reshape({-1, 1}), [](const at::Tensor& mean_RK) { return mean_RK.squeeze(1); }, key, resamples);
}

Estimate bootstrap_rmse(const at::Tensor& squared_error_N, RandomKey key, std::int64_t resamples) {
  return bootstrap(squared_error_N.reshape({-1, 1}), [](const at::Tensor& mean_RK) { return mean_RK.squeeze(1).sqrt(); }, key, resamples);
}

Estimate bootstrap_spread_error(const at::Tensor& restored_ND, const at::Tensor& truth_ND, RandomKey key, std::int64_t resamples) {
  check<ShapeError>(restored_ND.dim() == 2 && restored_ND.sizes() == truth_ND.sizes(),
                    "metrics: restored and truth must have one shape [N, D] to be resampled together.");
  const std::int64_t D = truth_ND.size(1);
  const at::Tensor restored = restored_ND.to(at::kDouble), truth = truth_ND.to(at::kDouble);
  const at::Tensor r = restored - restored.mean(0), t = truth - truth.mean(0);  // centred, so that the difference below does not cancel
  return bootstrap(
      at::cat({r, r.square(), t, t.square()}, 1),
      [D](const at::Tensor& mean_RK) {
        const at::Tensor variance_r = mean_RK.slice(1, D, 2 * D) - mean_RK.slice(1, 0, D).square();
        const at::Tensor variance_t = mean_RK.slice(1, 3 * D, 4 * D) - mean_RK.slice(1, 2 * D, 3 * D).square();
        return ((variance_r / variance_t).sqrt() - 1).square().mean(1).sqrt();
      },
      key, resamples);
}

Estimate bootstrap_spread_error_of_law(const at::Tensor& restored_ND, const at::Tensor& law_spread_D, RandomKey key, std::int64_t resamples) {
  check<ShapeError>(restored_ND.dim() == 2 && law_spread_D.dim() == 1 && restored_ND.size(1) == law_spread_D.size(0),
                    "metrics: restored must be [N, D] and the spread of the law [D].");
  const std::int64_t D = law_spread_D.size(0);
  const at::Tensor restored = restored_ND.to(at::kDouble), r = restored - restored.mean(0), spread_D = law_spread_D.to(at::kDouble);
  return bootstrap(
      at::cat({r, r.square()}, 1),
      [&](const at::Tensor& mean_RK) {
        const at::Tensor variance_r = mean_RK.slice(1, D, 2 * D) - mean_RK.slice(1, 0, D).square();
        return (variance_r.clamp_min(0).sqrt() / spread_D - 1).square().mean(1).sqrt();
      },
      key, resamples);
}

}  // namespace unchannel::metrics
