#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/plugin_instance.hpp>

#include "failure_log.hpp"

namespace unchannel {

/// A plugin behind the abstract Channel. Tensors are handed over without a copy when they are contiguous. Rows of samples that failed are
/// zero and listed by take_failed_samples(); see FailureLog for the limit.
class PluginTensorChannel final : public Channel {
 public:
  /// `plugin` is configured; `latent_options`: see apply_latent_options. Throws ConfigError.
  PluginTensorChannel(std::unique_ptr<PluginInstance> plugin, const nlohmann::json& latent_options, double max_failed_share);

  std::string id() const override;
  std::string version() const override;
  std::vector<std::int64_t> signal_shape() const override;
  std::vector<std::int64_t> observation_shape() const override;
  const std::vector<LatentSpec>& latents() const override { return specs_; }
  Determinism determinism() const override;
  nlohmann::json configuration() const override;

  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const override;
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override;
  at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const override;
  bool has_mean() const override;
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override;
  bool has_vjp() const override;
  at::Tensor vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const override;
  bool has_loglik() const override;
  at::Tensor loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const override;
  std::vector<FailedSample> take_failed_samples() const override { return failures_->take(); }

 private:
  /// Pointers by the plugin's latent index; the tensors keep what they point to.
  struct LatentPointers {
    std::vector<at::Tensor> kept;
    std::vector<const void*> pointers;
  };
  LatentPointers pointers(const Latents& latents, std::int64_t rows, bool visible_only) const;
  at::Tensor rows(const at::Tensor& tensor, std::int64_t count, std::int64_t size, const char* name) const;

  std::unique_ptr<PluginInstance> plugin_;
  std::vector<LatentSpec> specs_;     // the active ones
  std::vector<std::size_t> indices_;  // of them in the plugin's list
  std::int64_t x_size_, y_size_;
  std::unique_ptr<FailureLog> failures_;
};

}  // namespace unchannel
