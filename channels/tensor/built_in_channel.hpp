#pragma once

#include <nlohmann/json.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/description.hpp>

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {

/// What a built-in channel is made from.
struct BuiltInSetup {
  ChannelDescription description;
  std::vector<std::int64_t> shape;  ///< of a signal
  nlohmann::json parameters;        ///< checked against the description, defaults filled in
  nlohmann::json latent_options;    ///< see apply_latent_options

  double real(const char* parameter) const { return parameters.at(parameter).get<double>(); }
  std::int64_t integer(const char* parameter) const { return parameters.at(parameter).get<std::int64_t>(); }
  std::string text(const char* parameter) const { return parameters.at(parameter).get<std::string>(); }
};

/// What all built-in channels share: identity, latents, checks of shapes. Tensors may be on any device that ATen knows; the result is on
/// the device of the signals (latents: of the ids).
class BuiltInChannel : public Channel {
 public:
  std::string id() const override { return setup_.description.id; }
  std::string version() const override { return setup_.description.version; }
  std::vector<std::int64_t> signal_shape() const override { return setup_.shape; }
  std::vector<std::int64_t> observation_shape() const override { return setup_.shape; }
  const std::vector<LatentSpec>& latents() const override { return specs_; }
  Determinism determinism() const override;
  nlohmann::json configuration() const override;
  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const override;
  at::Tensor lift(const at::Tensor& y_BM, const Latents& latents) const override;

 protected:
  /// `latent_shapes`: one for each latent of the description, in its order.
  explicit BuiltInChannel(BuiltInSetup setup, std::vector<std::vector<std::int64_t>> latent_shapes = {});

  /// Values [B, L…] of one latent under a key of its own.
  virtual at::Tensor draw(std::size_t index, RandomKey key, const at::Tensor& ids_B) const;

  const BuiltInSetup& setup() const noexcept { return setup_; }
  /// Checked [B, D] float32, contiguous. Throws ShapeError.
  at::Tensor signals(const at::Tensor& x_BD) const;
  /// Checked [B, M] of `count` samples (any number when negative).
  at::Tensor observations(const at::Tensor& y_BM, std::int64_t count, const char* name) const;
  /// Checked [B] int64.
  at::Tensor ids(const at::Tensor& ids_B, std::int64_t count) const;
  /// Checked values [B, L…] of one latent on `device`.
  at::Tensor latent(std::size_t index, const Latents& latents, std::int64_t count, c10::Device device) const;

 private:
  BuiltInSetup setup_;
  std::vector<LatentSpec> specs_;
};

}  // namespace unchannel
