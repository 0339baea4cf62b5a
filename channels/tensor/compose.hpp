#pragma once

#include <memory>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/description.hpp>

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {

/// Channels one after the other, each measuring what the one before it gives.
///
/// Keys: stage i gets derive(key, tag(UNCHANNEL_TAG_COMPOSE_STAGE, i)). Latents: "stage<i>_<name>". Determinism: the weakest of the
/// stages'. lift: those of the stages, last first. A stage is passed by derivatives only when it is noise-free: mean, vjp and loglik exist
/// where every stage before the last is noise-free and has mean (for vjp and loglik: and vjp), and the last stage has the capability
/// itself.
class Compose final : public Channel {
 public:
  /// At least one stage; the observation shape of each is the signal shape of the next. Throws ConfigError, also when a latent that a later
  /// stage draws depends on its signal although an earlier stage takes latents from the data: the signal is then not known in time.
  explicit Compose(std::vector<std::unique_ptr<Channel>> stages);

  std::string id() const override { return "compose"; }
  std::string version() const override;
  std::vector<std::int64_t> signal_shape() const override { return stages_.front()->signal_shape(); }
  std::vector<std::int64_t> observation_shape() const override { return stages_.back()->observation_shape(); }
  const std::vector<LatentSpec>& latents() const override { return specs_; }
  Determinism determinism() const override;
  nlohmann::json configuration() const override;

  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const override;
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override;
  at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const override;
  bool noise_free() const override;
  bool has_mean() const override;
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override;
  bool has_vjp() const override;
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const override;
  bool has_loglik() const override;
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const override;
  std::vector<FailedSample> take_failed_samples() const override;

 private:
  /// The latents of one stage under its own names.
  Latents of_stage(std::size_t stage, const Latents& latents) const;
  /// What each stage measures: x and the noise-free outputs of all but the last.
  std::vector<at::Tensor> noise_free_inputs(const at::Tensor& x_BD, const Latents& latents) const;
  /// Transposed derivative of the stages before `stage`.
  at::Tensor back_from(std::size_t stage, const std::vector<at::Tensor>& inputs, const Latents& latents, at::Tensor v) const;

  std::vector<std::unique_ptr<Channel>> stages_;
  std::vector<LatentSpec> specs_;
  std::size_t signals_needed_ = 0;  // draw_latents simulates this many stages, for latents that depend on the signal
};

ChannelDescription describe_compose();

}  // namespace unchannel
