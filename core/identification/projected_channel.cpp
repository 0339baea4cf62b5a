#include "projected_channel.hpp"

#include <nlohmann/json.hpp>

namespace unchannel::identification {

nlohmann::json ProjectedChannel::configuration() const {
  nlohmann::json record = inner_->configuration();
  record["signal_free"] = true;
  return record;
}

Latents ProjectedChannel::draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const {
  return inner_->draw_latents(key, ids_B, x_BD.defined() ? set_.project(x_BD) : x_BD);
}

at::Tensor ProjectedChannel::loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const {
  const at::Tensor value_B = inner_->loglik(set_.project(x_BD), latents, y_BM, gradient_BD);
  if (gradient_BD != nullptr) *gradient_BD = set_.project(*gradient_BD);
  return value_B;
}

}  // namespace unchannel::identification
