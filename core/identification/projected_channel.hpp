#pragma once

#include <memory>

#include <unchannel/measurement/channel.hpp>

#include "signal_set.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel::identification {

/// Another channel that sees of a signal only its projection onto a linear set.
class ProjectedChannel final : public Channel {
 public:
  ProjectedChannel(std::unique_ptr<Channel> inner, SignalSet set) : inner_(std::move(inner)), set_(std::move(set)) {}

  std::string id() const override { return inner_->id(); }
  std::string version() const override { return inner_->version(); }
  std::vector<std::int64_t> signal_shape() const override { return inner_->signal_shape(); }
  std::vector<std::int64_t> observation_shape() const override { return inner_->observation_shape(); }
  const std::vector<LatentSpec>& latents() const override { return inner_->latents(); }
  Determinism determinism() const override { return inner_->determinism(); }
  /// The inner one's, with "signal_free" = true.
  nlohmann::json configuration() const override;

  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const override;
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    return inner_->simulate(set_.project(x_BD), latents, key, ids_B);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const override { return inner_->lift(y_BM, latents); }

  bool noise_free() const override { return inner_->noise_free(); }
  bool has_mean() const override { return inner_->has_mean(); }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override { return inner_->mean(set_.project(x_BD), latents); }
  bool has_vjp() const override { return inner_->has_vjp(); }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const override {
    return set_.project(inner_->vjp(set_.project(x_BD), latents, v_BM));
  }
  bool has_loglik() const override { return inner_->has_loglik(); }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const override;
  std::vector<FailedSample> take_failed_samples() const override { return inner_->take_failed_samples(); }

 private:
  std::unique_ptr<Channel> inner_;
  SignalSet set_;
};

}  // namespace unchannel::identification
