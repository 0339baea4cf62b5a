#pragma once

#include "built_in_channel.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {

/// y = A x + σ n with a linear A that latents may choose, n ~ N(0, 1) independent: simulate, mean, vjp and, for σ > 0, loglik, from A and
/// its transpose.
class LinearChannel : public BuiltInChannel {
 public:
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const final;
  bool noise_free() const final { return sigma_ == 0; }
  bool has_mean() const final { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const final;
  bool has_vjp() const final { return true; }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const final;
  bool has_loglik() const final { return sigma_ > 0; }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const final;

 protected:
  /// `sigma`: standard deviation of the noise, data units, ≥ 0.
  LinearChannel(BuiltInSetup setup, double sigma, std::vector<std::vector<std::int64_t>> latent_shapes = {});

  /// A x, [B, D] → [B, M]; may return its argument.
  virtual at::Tensor apply(const at::Tensor& x_BD, const Latents& latents) const = 0;
  /// Aᵀ v, [B, M] → [B, D].
  virtual at::Tensor transposed(const at::Tensor& v_BM, const Latents& latents) const = 0;

 private:
  double sigma_;
};

}  // namespace unchannel
