#pragma once

#include <ATen/TensorOperators.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/linalg_slogdet.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include <unchannel/baselines/affine_response.hpp>
#include <unchannel/measurement/channel.hpp>

namespace unchannel::baselines_test {

// Standard normals [rows, columns] float64, a function of the key.
inline at::Tensor normals(std::int64_t rows, std::int64_t columns, std::uint64_t key) {
  at::Tensor x = at::empty({rows, columns}, at::kFloat);
  for (std::int64_t r = 0; r < rows; ++r)
    RandomKey(key).normal(static_cast<std::uint64_t>(r), 0, static_cast<std::uint32_t>(columns), x.mutable_data_ptr<float>() + r * columns);
  return x.to(at::kDouble);
}

// y = gain (H x) + 0.5 + sigma n with a Gaussian blur H; the gain is a latent. `square` makes it non-linear.
class BlurChannel : public Channel {
 public:
  BlurChannel(std::int64_t pixels, double fwhm, double sigma, bool square = false)
      : pixels_(pixels), sigma_(sigma), square_(square), blur_(baselines::gaussian_line_spread(pixels, fwhm).matrix_MD.to(at::kFloat)) {
    LatentSpec gain;
    gain.name = "gain";
    latents_.push_back(gain);
  }
  std::string id() const override { return "test.blur"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {pixels_}; }
  std::vector<std::int64_t> observation_shape() const override { return {pixels_}; }
  const std::vector<LatentSpec>& latents() const override { return latents_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor& ids_B, const at::Tensor&) const override {
    return {{"gain", at::ones({ids_B.size(0)}, at::kFloat)}};
  }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    at::Tensor noise = at::empty({x_BD.size(0), pixels_}, at::kFloat);
    for (std::int64_t b = 0; b < x_BD.size(0); ++b)
      key.normal(static_cast<std::uint64_t>(ids_B[b].item<std::int64_t>()), 0, static_cast<std::uint32_t>(pixels_), noise.mutable_data_ptr<float>() + b * pixels_);
    return mean(x_BD, latents) + sigma_ * noise;
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }
  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override {
    const at::Tensor y = latents.at("gain").unsqueeze(1) * at::matmul(x_BD, blur_.t()) + 0.5;
    return square_ ? y.square() : y;
  }
  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor&, const Latents& latents, const at::Tensor& v_BM) const override {
    return latents.at("gain").unsqueeze(1) * at::matmul(v_BM, blur_);
  }

 private:
  std::int64_t pixels_;
  double sigma_;
  bool square_;
  at::Tensor blur_;
  std::vector<LatentSpec> latents_;
};

}  // namespace unchannel::baselines_test
