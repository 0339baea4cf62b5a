#include "node_prior.hpp"

#include <algorithm>
#include <cmath>
#include <memory>
#include <unchannel/base/error.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {

NodePrior quasar_node_prior(const QuasarPrior& prior, std::span<const double> wavelength_D, double redshift_min, double redshift_max,
                            std::int64_t nodes) {
  check<ConfigError>(nodes >= 1, "baselines: the redshift quadrature needs at least 1 node, not {}.", nodes);
  check<ConfigError>(redshift_min <= redshift_max, "baselines: redshift range {} to {} is empty.", redshift_min, redshift_max);
  NodePrior result;
  result.dimension = static_cast<std::int64_t>(wavelength_D.size());
  result.rank = static_cast<std::int64_t>(prior.rank());
  result.weight.assign(static_cast<std::size_t>(nodes), 1.0 / static_cast<double>(nodes));
  const auto shared = std::make_shared<const QuasarPrior>(prior);
  const std::vector<double> wavelength(wavelength_D.begin(), wavelength_D.end());
  const double step = (redshift_max - redshift_min) / static_cast<double>(nodes);
  result.node = [shared, wavelength, redshift_min, step](std::int64_t q, double* mean_D, double* factors_DR) {
    const double redshift = redshift_min + (static_cast<double>(q) + 0.5) * step;
    std::ranges::copy(shared->mean_at(redshift, wavelength), mean_D);
    std::ranges::copy(shared->factors_at(redshift, wavelength), factors_DR);
  };
  return result;
}

NodePrior rest_frame_prior(const QuasarPrior& prior, std::span<const double> rest_wavelength_D) {
  return quasar_node_prior(prior, rest_wavelength_D, 0, 0, 1);
}

Moments moments(const NodePrior& prior) {
  const std::int64_t D = prior.dimension, R = prior.rank;
  constexpr std::int64_t kBlock = 32;
  Moments result{at::zeros({D}, at::kDouble), at::zeros({D, D}, at::kDouble)};
  // Columns √w [mean − first mean, factors]: the first mean keeps Σ w m mᵀ − m̄ m̄ᵀ from cancelling.
  at::Tensor first_D = at::empty({D}, at::kDouble), unused = at::empty({D, R}, at::kDouble);
  prior.node(0, first_D.mutable_data_ptr<double>(), unused.mutable_data_ptr<double>());
  for (std::int64_t begin = 0; begin < prior.nodes(); begin += kBlock) {
    const std::int64_t end = std::min(begin + kBlock, prior.nodes());
    std::vector<at::Tensor> columns;
    for (std::int64_t q = begin; q < end; ++q) {
      at::Tensor mean_D = at::empty({D}, at::kDouble), factors_DR = at::empty({D, R}, at::kDouble);
      prior.node(q, mean_D.mutable_data_ptr<double>(), factors_DR.mutable_data_ptr<double>());
      mean_D -= first_D;
      result.mean_D += prior.weight[static_cast<std::size_t>(q)] * mean_D;
      columns.push_back(std::sqrt(prior.weight[static_cast<std::size_t>(q)]) * at::cat({mean_D.unsqueeze(1), factors_DR}, 1));
    }
    const at::Tensor block = at::cat(columns, 1);
    result.covariance_DD.addmm_(block, block.t());
  }
  result.covariance_DD -= result.mean_D.outer(result.mean_D);
  result.mean_D += first_D;
  return result;
}

}  // namespace unchannel::baselines
