#include "draw_accuracy.hpp"

#include <ATen/ops/cat.h>
#include <ATen/ops/var.h>

#include <cmath>

#include "posterior_ranks.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {

void DrawAccuracy::add(const at::Tensor& truth_BD, const at::Tensor& draws_BSD, RandomKey key) {
  const at::Tensor ranks_BD = posterior_ranks(truth_BD, draws_BSD, key);
  const std::int64_t samples = draws_BSD.size(1);
  inside_50_.push_back(inside_central_interval(ranks_BD, samples, 0.5).mean(1));
  inside_90_.push_back(inside_central_interval(ranks_BD, samples, 0.9).mean(1));
  errors_.push_back((draws_BSD.mean(1) - truth_BD).square().mean(1));
  variances_.push_back(draws_BSD.var(1).mean(1));
}

Estimate DrawAccuracy::share_of(const std::vector<at::Tensor>& inside) { return bootstrap_mean(at::cat(inside)); }

Estimate DrawAccuracy::mean_rmse() const { return bootstrap_rmse(at::cat(errors_)); }

double DrawAccuracy::spread() const { return std::sqrt(at::cat(variances_).mean().item<double>()); }

}  // namespace unchannel::metrics
