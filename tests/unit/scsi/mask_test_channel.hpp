#pragma once

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {

/// Hides half of the elements behind noise of deviation one, the rest get noise of deviation σ; the mask is a visible latent.
class MaskTestChannel final : public Channel {
 public:
  MaskTestChannel(std::int64_t dimension, double sigma) : dimension_(dimension), sigma_(sigma) {
    LatentSpec mask;
    mask.name = "mask";
    mask.shape = {dimension};
    mask.visible = true;
    latents_ = {mask};
  }
  std::string id() const override { return "test.mask"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {dimension_}; }
  std::vector<std::int64_t> observation_shape() const override { return {dimension_}; }
  const std::vector<LatentSpec>& latents() const override { return latents_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {{"sigma", sigma_}}; }
  Latents draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor&) const override {
    return {{"mask", normal_rows(key.derive(1), ids_B, dimension_).gt(0.0).to(at::kFloat)}};
  }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor n_BD = normal_rows(key.derive(2), ids_B, dimension_);
    return at::where(latents.at("mask").eq(1.0), x_BD + sigma_ * n_BD, n_BD);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  std::int64_t dimension_;
  double sigma_;
  std::vector<LatentSpec> latents_;
};

}  // namespace unchannel
