#include "response_basis.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <tuple>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {

ProbedResponse probe_response_basis(const Channel& channel, const at::Tensor& mean_D, const Latents& latents, std::int64_t probes,
                                    std::int64_t rank, RandomKey key) {
  const std::int64_t dimension = mean_D.size(0);
  check<ConfigError>(probes >= 2 * dimension,
                     "start.probes = {} is too small to find the channel's response in {} dimensions; use at least {}.", probes, dimension,
                     2 * dimension);
  constexpr std::int64_t kBlock = 1024;
  // One draw of the latents for every probe: their scatter would hide the directions that pass with a small gain.
  Latents fixed;
  if (channel.has_mean()) {
    fixed = channel.draw_latents(key.derive(3), at::zeros({1}, at::kLong), mean_D.unsqueeze(0));
    for (const auto& [name, values] : latents) fixed.insert_or_assign(name, values.slice(0, 0, 1));
  }
  at::Tensor gram_DD = at::zeros({dimension, dimension}, at::kDouble), cross_DD = at::zeros_like(gram_DD);
  at::Tensor x_sum_D = at::zeros({dimension}, at::kDouble), y_sum_D = at::zeros_like(x_sum_D);
  std::int64_t valid = 0;
  for (std::int64_t begin = 0; begin < probes; begin += kBlock) {
    const std::int64_t end = std::min(probes, begin + kBlock);
    const at::Tensor ids_B = at::arange(begin, end, at::kLong);
    const at::Tensor white_BD = normal_rows(key.derive(2), ids_B, dimension);
    const at::Tensor x_BD = white_BD + mean_D;
    Latents used;
    if (channel.has_mean()) {
      const at::Tensor first_B = at::zeros({end - begin}, at::kLong);
      for (const auto& [name, values] : fixed) used.emplace(name, values.index_select(0, first_B));
    } else {
      used = channel.draw_latents(key.derive(3), ids_B, x_BD);
      for (const auto& [name, values] : latents) used.insert_or_assign(name, values.slice(0, begin, end));
    }
    const FailureWatch watch(channel);
    const at::Tensor raw_BM = channel.has_mean() ? channel.mean(x_BD, used) : channel.simulate(x_BD, used, key.derive(3), ids_B);
    const at::Tensor seen_BD = channel.lift(raw_BM, used) - mean_D, weight_B = watch.weight_B(end - begin);
    const at::Tensor x_wide = valid_rows(white_BD, weight_B).to(at::kDouble), y_wide = valid_rows(seen_BD, weight_B).to(at::kDouble);
    gram_DD.addmm_(x_wide.t(), x_wide);
    cross_DD.addmm_(x_wide.t(), y_wide);
    x_sum_D += x_wide.sum(0);
    y_sum_D += y_wide.sum(0);
    valid += x_wide.size(0);
  }
  const auto count = static_cast<double>(valid);
  gram_DD -= at::outer(x_sum_D, x_sum_D) / count;
  cross_DD -= at::outer(x_sum_D, y_sum_D) / count;
  const at::Tensor response_DD = at::linalg_solve(gram_DD, cross_DD);  // row: signal element, column: observed element
  auto [values_D, vectors_DD] = at::linalg_eigh(response_DD.matmul(response_DD.t()));
  ProbedResponse result;
  result.gain_R = values_D.slice(0, dimension - rank).flip({0}).clamp_min(0.0).sqrt();
  result.basis_DR = vectors_DD.slice(1, dimension - rank).flip({1}).to(at::kFloat).contiguous();
  return result;
}

}  // namespace unchannel
