#include "affine_response.hpp"

#include <algorithm>
#include <cmath>
#include <unchannel/base/error.hpp>
#include <vector>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

constexpr std::int64_t kBatch = 256;

Latents repeat(const Latents& latents_1, std::int64_t rows) {
  Latents repeated;
  for (const auto& [name, value] : latents_1) {
    check<ShapeError>(value.dim() >= 1 && value.size(0) == 1, "baselines: latent '{}' must have one row to stand for all.", name);
    std::vector<std::int64_t> shape = value.sizes().vec();
    shape[0] = rows;
    repeated.emplace(name, value.expand(shape).contiguous());
  }
  return repeated;
}

std::int64_t elements(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (std::int64_t size : shape) count *= size;
  return count;
}

}  // namespace

AffineResponse probe_response(const Channel& channel, const Latents& latents_1) {
  check<ConfigError>(channel.has_mean(), "baselines: channel {} has no capability 'mean', so its response cannot be probed.", channel.id());
  const std::int64_t D = elements(channel.signal_shape());
  const at::Tensor offset_M = channel.mean(at::zeros({1, D}, at::kFloat), repeat(latents_1, 1)).to(at::kDouble).reshape({-1});
  AffineResponse response{at::empty({offset_M.size(0), D}, at::kDouble), offset_M};
  const at::Tensor units_DD = at::eye(D, at::kFloat);
  for (std::int64_t first = 0; first < D; first += kBatch) {
    const std::int64_t last = std::min(first + kBatch, D);
    const at::Tensor columns = channel.mean(units_DD.slice(0, first, last).contiguous(), repeat(latents_1, last - first));
    response.matrix_MD.slice(1, first, last).copy_((columns.to(at::kDouble).reshape({last - first, -1}) - offset_M).t());
  }
  // A signal whose parts cannot cancel by chance: signs from a fixed key.
  at::Tensor trial_1D = at::empty({1, D}, at::kFloat);
  for (std::int64_t d = 0; d < D; ++d) trial_1D.mutable_data_ptr<float>()[d] = RandomKey(1).bits(0, static_cast<std::uint32_t>(d)) & 1U ? 3.0F : -1.0F;
  const at::Tensor direct = channel.mean(trial_1D, repeat(latents_1, 1)).to(at::kDouble).reshape({-1});
  const at::Tensor predicted = at::matmul(response.matrix_MD, trial_1D.to(at::kDouble).squeeze(0)) + offset_M;
  check<ConfigError>((direct - predicted).norm().item<double>() <= 1e-3 * (direct.norm().item<double>() + 1e-30),
                     "baselines: channel {} is not affine in the signal; linear baselines do not apply to it.", channel.id());
  return response;
}

AffineResponse gaussian_line_spread(std::int64_t pixels, double fwhm_pixels) {
  check<ConfigError>(pixels >= 1 && fwhm_pixels >= 0 && std::isfinite(fwhm_pixels), "baselines: a line spread needs pixels and a finite FWHM of 0 or more, not {}.",
                     fwhm_pixels);
  AffineResponse response{at::zeros({pixels, pixels}, at::kDouble), at::zeros({pixels}, at::kDouble)};
  const double sigma = fwhm_pixels / (2 * std::sqrt(2 * std::log(2.0)));
  const std::int64_t reach = static_cast<std::int64_t>(std::ceil(6 * sigma)) + 1;
  std::vector<double> weight(static_cast<std::size_t>(reach) + 1, 0.0);
  double sum = 0;
  for (std::int64_t k = 0; k <= reach; ++k) {
    const double centre = static_cast<double>(k), scale = 1 / (sigma * std::sqrt(2.0));
    // Differences of erfc, not erf: they keep their digits in the wings.
    weight[k] = sigma == 0 ? (k == 0 ? 1.0 : 0.0) : k == 0 ? std::erf(0.5 * scale) : 0.5 * (std::erfc((centre - 0.5) * scale) - std::erfc((centre + 0.5) * scale));
    sum += k == 0 ? weight[k] : 2 * weight[k];
  }
  double* matrix = response.matrix_MD.mutable_data_ptr<double>();
  const std::int64_t period = 2 * pixels;
  for (std::int64_t i = 0; i < pixels; ++i) {
    for (std::int64_t k = -reach; k <= reach; ++k) {
      const std::int64_t wrapped = (((i + k) % period) + period) % period;
      matrix[i * pixels + (wrapped < pixels ? wrapped : period - 1 - wrapped)] += weight[std::abs(k)] / sum;
    }
  }
  return response;
}

}  // namespace unchannel::baselines
