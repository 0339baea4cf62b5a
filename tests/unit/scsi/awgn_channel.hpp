#pragma once

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {

/// y = x + σ n, the channel with closed-form answers.
class AwgnChannel final : public Channel {
 public:
  AwgnChannel(std::int64_t dimension, double sigma) : dimension_(dimension), sigma_(sigma) {}
  std::string id() const override { return "test.awgn"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {dimension_}; }
  std::vector<std::int64_t> observation_shape() const override { return {dimension_}; }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {{"sigma", sigma_}}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    return x_BD + sigma_ * normal_rows(key, ids_B, dimension_);
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  std::int64_t dimension_;
  double sigma_;
  std::vector<LatentSpec> none_;
};

/// Gaussian signals of rank 2 in `dimension` elements, rows 0 … count − 1.
inline at::Tensor rank_two_signals(std::int64_t count, std::int64_t dimension) {
  const at::Tensor grid = at::linspace(0.0, 1.0, dimension);
  const at::Tensor basis = at::stack({(grid * 6.28318530718).sin(), (grid * 3.14159265359).cos()});
  return normal_rows(RandomKey(77), at::arange(count, at::kLong), 2).matmul(basis) + 0.5;
}

}  // namespace unchannel
