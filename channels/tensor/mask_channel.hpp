#pragma once

#include "built_in_channel.hpp"
#include "image_layout.hpp"

// Shape legend: B batch · D signal dimensions flattened · P planes · H rows · W columns
namespace unchannel {

/// Pixels hidden from sight: y = x + σ n where a pixel is kept, y = n where it is hidden, n ~ N(0, 1) in every element; all planes share
/// the mask. mean is x where kept and 0 elsewhere.
class MaskChannel : public BuiltInChannel {
 public:
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const final;
  bool has_mean() const final { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const final;
  bool has_vjp() const final { return true; }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BD) const final;
  bool has_loglik() const final { return sigma_ > 0; }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BD, at::Tensor* gradient_BD) const final;

 protected:
  /// `noise_sigma` among the parameters is σ.
  MaskChannel(BuiltInSetup setup, std::vector<std::vector<std::int64_t>> latent_shapes);

  /// Which pixels are kept: bool [B, 1, H, W].
  virtual at::Tensor kept(const Latents& latents, std::int64_t count, c10::Device device) const = 0;
  const ImageLayout& layout() const noexcept { return layout_; }

 private:
  at::Tensor kept_BD(const Latents& latents, const at::Tensor& like_BD) const;

  ImageLayout layout_;
  double sigma_;
};

}  // namespace unchannel
