#include "quasar_reference_set.hpp"

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/data/spectra/log_lambda_grid.hpp>

#include "tensor_ops.hpp"

namespace unchannel::baselines {

RandomKey reference_key() { return RandomKey(1).derive(Purpose::kBaseline); }

QuasarReferences quasar_references(const QuasarPrior& prior, const QuasarReferenceInput& input) {
  const std::vector<double>& grid = input.wavelength_angstrom_D;
  check<ConfigError>(grid.size() >= 2 && is_log_linear(grid), "baselines: the exact references need wavelengths evenly spaced in ln λ.");
  const double step = std::log(grid.back() / grid.front()) / static_cast<double>(grid.size() - 1);
  const AffineResponse response = gaussian_line_spread(static_cast<std::int64_t>(grid.size()), input.lsf_fwhm_ln_lambda / step);
  const NodePrior nodes =
      input.rest_frame ? rest_frame_prior(prior, grid) : quasar_node_prior(prior, grid, input.redshift_min, input.redshift_max);
  const at::Tensor sigma_B = input.sigma_B.defined() ? input.sigma_B.to(at::kDouble) : noise_from_snr(response, input.truth_BD, input.snr_B);
  QuasarReferences result;
  const at::Tensor average_B = at::full({sigma_B.size(0)}, sigma_B.square().mean().item<double>(), at::kDouble);
  result.linear_BD = linear_estimate(moments(nodes), response, input.observed_BD, average_B);
  result.exact = exact_posterior(nodes, response, input.observed_BD, sigma_B, reference_key(), input.object_id_B);
  result.mmse_bound = std::sqrt(result.exact.variance_B.mean().item<double>());
  return result;
}

}  // namespace unchannel::baselines
