#include "linear_channel.hpp"

#include <ATen/ops/full.h>

#include "gaussian_noise.hpp"

namespace unchannel {

LinearChannel::LinearChannel(BuiltInSetup setup, double sigma, std::vector<std::vector<std::int64_t>> latent_shapes)
    : BuiltInChannel(std::move(setup), std::move(latent_shapes)), sigma_(sigma) {}

at::Tensor LinearChannel::simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const {
  const at::Tensor x = signals(x_BD);
  const at::Tensor y = with_gaussian_noise(apply(x, latents), sigma_, key, ids(ids_B, x.size(0)));
  return y.is_alias_of(x) ? y.clone() : y;  // an observation may be changed without changing its signal
}

at::Tensor LinearChannel::mean(const at::Tensor& x_BD, const Latents& latents) const { return apply(signals(x_BD), latents); }

at::Tensor LinearChannel::vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const {
  return transposed(observations(v_BM, signals(x_BD).size(0), "v_BM"), latents);
}

at::Tensor LinearChannel::loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const {
  if (!has_loglik()) return Channel::loglik(x_BD, latents, y_BM, gradient_BD);
  const at::Tensor x = signals(x_BD);
  // The difference in double: y and its mean agree in most digits when the noise is small.
  const at::Tensor residual = observations(y_BM, x.size(0), "y_BM").to(at::kDouble).sub(apply(x, latents));
  at::Tensor score_BM;
  at::Tensor loglik_B = gaussian_loglik(residual, at::full({1, 1}, sigma_, residual.options()), gradient_BD ? &score_BM : nullptr);
  if (gradient_BD) *gradient_BD = transposed(score_BM.to(at::kFloat), latents);
  return loglik_B;
}

}  // namespace unchannel
