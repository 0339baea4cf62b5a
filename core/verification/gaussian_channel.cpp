#include "gaussian_channel.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <unchannel/transport/solver.hpp>

#include "tensors.hpp"

// Shape legend: B batch · D dimension of signals and observations
namespace unchannel::verification {
namespace {

class GaussianChannel final : public Channel {
 public:
  explicit GaussianChannel(const theory::LinearChannel& law)
      : dimension_(law.operator_DD.rows()),
        operator_DD_(tensor_of(law.operator_DD).to(at::kFloat)),
        noise_root_DD_(root_of(law.noise_DD).to(at::kFloat)) {}

  std::string id() const override { return "gaussian"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {dimension_}; }
  std::vector<std::int64_t> observation_shape() const override { return {dimension_}; }
  const std::vector<LatentSpec>& latents() const override { return latents_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {{"id", id()}, {"version", version()}, {"dimension", dimension_}}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    return x_BD.matmul(operator_DD_.t()) + normal_rows(key, ids_B, dimension_).matmul(noise_root_DD_.t());
  }
  at::Tensor lift(const at::Tensor& y_BD, const Latents&) const override { return y_BD; }

 private:
  std::int64_t dimension_;
  at::Tensor operator_DD_, noise_root_DD_;
  std::vector<LatentSpec> latents_;
};

}  // namespace

std::unique_ptr<Channel> make_gaussian_channel(const theory::LinearChannel& law) { return std::make_unique<GaussianChannel>(law); }

}  // namespace unchannel::verification
