#include "mask_channel.hpp"

#include <ATen/ops/where.h>

#include "gaussian_noise.hpp"
#include "philox_tensors.hpp"

namespace unchannel {

MaskChannel::MaskChannel(BuiltInSetup setup, std::vector<std::vector<std::int64_t>> latent_shapes)
    : BuiltInChannel(std::move(setup), std::move(latent_shapes)),
      layout_(ImageLayout::of(signal_shape(), id())),
      sigma_(this->setup().real("noise_sigma")) {}

at::Tensor MaskChannel::kept_BD(const Latents& latents, const at::Tensor& like_BD) const {
  const std::int64_t count = like_BD.size(0);
  return kept(latents, count, like_BD.device())
      .expand({count, layout_.planes, layout_.rows, layout_.columns})
      .reshape({count, like_BD.size(1)});
}

at::Tensor MaskChannel::simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const {
  const at::Tensor x = signals(x_BD);
  // An element is either noisy or filled, so one normal serves for both.
  const at::Tensor n = normals(noise_key(key), ids(ids_B, x.size(0)), x.size(1), x.device());
  return at::where(kept_BD(latents, x), n.mul(sigma_).add_(x), n);
}

at::Tensor MaskChannel::mean(const at::Tensor& x_BD, const Latents& latents) const {
  const at::Tensor x = signals(x_BD);
  return at::where(kept_BD(latents, x), x, 0.0);
}

at::Tensor MaskChannel::vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BD) const {
  const at::Tensor v = observations(v_BD, signals(x_BD).size(0), "v_BM");
  return at::where(kept_BD(latents, v), v, 0.0);
}

at::Tensor MaskChannel::loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BD, at::Tensor* gradient_BD) const {
  if (!has_loglik()) return Channel::loglik(x_BD, latents, y_BD, gradient_BD);
  const at::Tensor x = signals(x_BD).to(at::kDouble), y = observations(y_BD, x.size(0), "y_BM");
  const at::Tensor seen_BD = kept_BD(latents, x);
  const at::Tensor s_BD = x.new_full({}, 1.0).masked_fill(seen_BD, sigma_);
  at::Tensor score_BD;
  at::Tensor loglik_B = gaussian_loglik(y.sub(at::where(seen_BD, x, 0.0)), s_BD, gradient_BD ? &score_BD : nullptr);
  if (gradient_BD) *gradient_BD = at::where(seen_BD, score_BD, 0.0).to(at::kFloat);
  return loglik_B;
}

}  // namespace unchannel
