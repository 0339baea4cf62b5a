#pragma once

#include <ATen/ops/matmul.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/transport/solver.hpp>

// Shape legend: B batch · D dimension of signals and observations
namespace unchannel::test_support {

/// y = x K + σ n, without latents: what the studies observe with.
class KernelChannel final : public Channel {
 public:
  KernelChannel(const at::Tensor& kernel_DD, double sigma) : sigma_(sigma), kernel_DD_(kernel_DD) {}

  std::string id() const override { return "study.kernel"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {kernel_DD_.size(0)}; }
  std::vector<std::int64_t> observation_shape() const override { return signal_shape(); }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {{"sigma", sigma_}}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    return at::matmul(x_BD, kernel_DD_).add(normal_rows(key, ids_B, kernel_DD_.size(0)).mul(sigma_));
  }
  at::Tensor lift(const at::Tensor& y_BD, const Latents&) const override { return y_BD; }

 private:
  double sigma_;
  at::Tensor kernel_DD_;
  std::vector<LatentSpec> none_;
};

}  // namespace unchannel::test_support
