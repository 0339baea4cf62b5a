#pragma once

#include <memory>
#include <unchannel/measurement/channel.hpp>

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {

/// Another channel with its lift replaced by least_squares(): `iterations` steps of conjugate gradients on |y − F̄(x)|² from zero. Where the
/// channel multiplies a direction by h, the lift of its observation has between 0 and all of it, never −h: the path from a
/// signal to the observation then does not lead through zero, where it would lose the sign.
/// Derivation: docs/theory/interpolants.md, "Where the path starts".
class LeastSquaresLift final : public Channel {
 public:
  /// Throws ConfigError when the channel has no mean or no vjp, or a latent that the lift would not be told.
  LeastSquaresLift(std::unique_ptr<Channel> inner, std::int64_t iterations);

  std::string id() const override { return inner_->id(); }
  std::string version() const override { return inner_->version(); }
  std::vector<std::int64_t> signal_shape() const override { return inner_->signal_shape(); }
  std::vector<std::int64_t> observation_shape() const override { return inner_->observation_shape(); }
  const std::vector<LatentSpec>& latents() const override { return inner_->latents(); }
  Determinism determinism() const override { return inner_->determinism(); }
  /// The inner one's, with "lift" and "lift_iterations".
  nlohmann::json configuration() const override;

  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const override {
    return inner_->draw_latents(key, ids_B, x_BD);
  }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    return inner_->simulate(x_BD, latents, key, ids_B);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const override;

  bool noise_free() const override { return inner_->noise_free(); }
  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override { return inner_->mean(x_BD, latents); }
  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const override {
    return inner_->vjp(x_BD, latents, v_BM);
  }
  bool has_loglik() const override { return inner_->has_loglik(); }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const override {
    return inner_->loglik(x_BD, latents, y_BM, gradient_BD);
  }
  std::vector<FailedSample> take_failed_samples() const override { return inner_->take_failed_samples(); }

 private:
  std::unique_ptr<Channel> inner_;
  std::int64_t iterations_;
};

}  // namespace unchannel
