#include <torch/nn.h>

#include <cmath>

#include "families.hpp"

namespace unchannel {

void initialise_weights(torch::nn::Module& module, RandomKey key) {
  at::NoGradGuard no_grad;
  std::uint64_t index = 0;
  for (auto& item : module.named_parameters()) {
    at::Tensor& value = item.value();
    const std::uint64_t id = index++;
    if (value.dim() < 2) {
      // One-dimensional parameters are biases (zero) and normalisation gains (one).
      const bool gain = item.key().find("norm") != std::string::npos && item.key().ends_with("weight");
      value.fill_(gain ? 1.0 : 0.0);
      continue;
    }
    if (item.key().find("zero") != std::string::npos) {
      value.zero_();
      continue;
    }
    const double fan_in = static_cast<double>(value.numel()) / static_cast<double>(value.size(0));
    at::Tensor draw = at::empty_like(value, value.options(), at::MemoryFormat::Contiguous);
    key.normal(id, 0, static_cast<std::uint32_t>(draw.numel()), draw.data_ptr<float>());
    value.copy_(draw.mul_(1.0 / std::sqrt(fan_in)));
  }
}

at::Tensor time_features(const at::Tensor& t_B, std::int64_t count, double max_frequency) {
  const std::int64_t half = count / 2;
  at::Tensor frequencies = at::logspace(std::log10(0.25), std::log10(max_frequency), half, 10.0, t_B.options());
  at::Tensor phase_BF = t_B.unsqueeze(1) * frequencies.unsqueeze(0) * (2.0 * M_PI);
  return at::cat({phase_BF.cos(), phase_BF.sin()}, 1);
}

at::Tensor position_features(const at::Tensor& t_B, std::int64_t count, double max_position) {
  const std::int64_t half = count / 2;
  const at::Tensor share = at::arange(half, t_B.options()) / static_cast<double>(half);
  const at::Tensor phase_BF = t_B.unsqueeze(1) * at::pow(1.0 / max_position, share).unsqueeze(0);
  return at::cat({phase_BF.cos(), phase_BF.sin()}, 1);
}

at::Tensor keyed_dropout(const at::Tensor& x, double p, RandomKey key, std::uint64_t layer, const at::Tensor& ids_B) {
  at::Tensor mask = at::empty(x.sizes(), at::kFloat);  // drawn by the processor: the same units fall out on every device
  const auto row = static_cast<std::uint32_t>(mask.numel() / mask.size(0));
  const RandomKey layer_key = key.derive(layer);
  const std::int64_t* ids = ids_B.data_ptr<std::int64_t>();
  float* out = mask.data_ptr<float>();
  for (std::int64_t b = 0; b < mask.size(0); ++b) layer_key.uniform(static_cast<std::uint64_t>(ids[b]), 0, row, out + b * row);
  return x * mask.ge(p).to(x.options()).mul(1.0 / (1.0 - p));
}

}  // namespace unchannel
