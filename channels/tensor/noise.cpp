#include <ATen/ops/full.h>
#include <ATen/ops/zeros_like.h>

#include "built_ins.hpp"
#include "describe.hpp"
#include "gaussian_noise.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

/// y = n ~ N(0, I) whatever x is. A drift trained on pairs (x, n) carries noise to new signals: the generator of METHOD's second stage.
/// There is no vjp: it would be zero, and whoever asks for one wants to learn something about x.
class Noise final : public BuiltInChannel {
 public:
  explicit Noise(BuiltInSetup setup) : BuiltInChannel(std::move(setup)) {}

  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor x = signals(x_BD);
    return normals(noise_key(key), ids(ids_B, x.size(0)), x.size(1), x.device());
  }

  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents&) const override { return at::zeros_like(signals(x_BD)); }

  bool has_loglik() const override { return true; }
  at::Tensor loglik(const at::Tensor& x_BD, const Latents&, const at::Tensor& y_BD, at::Tensor* gradient_BD) const override {
    const at::Tensor x = signals(x_BD), y = observations(y_BD, x.size(0), "y_BM");
    if (gradient_BD) *gradient_BD = at::zeros_like(x);
    return gaussian_loglik(y, at::full({1, 1}, 1.0, y.options()), nullptr);
  }
};

}  // namespace

ChannelDescription describe_noise() {
  ChannelDescription channel = describe_built_in("noise", "Nothing but noise",
                                                 "y = n, standard normal and independent of x in every element: a run trained on it "
                                                 "with given signals draws new ones (unchannel sample).");
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_noise(BuiltInSetup setup) { return std::make_unique<Noise>(std::move(setup)); }

}  // namespace unchannel
