#include <ATen/ops/full_like.h>

#include "built_ins.hpp"
#include "describe.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

/// y = x + N, N ~ Poisson(λ) whatever x is: no shot noise, but what the published code adds. Without loglik: a density exists only where
/// y − x is a whole number.
class PoissonAdditive final : public BuiltInChannel {
 public:
  explicit PoissonAdditive(BuiltInSetup setup) : BuiltInChannel(setup), rate_(setup.real("rate")) {}

  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor x = signals(x_BD);
    return poisson_counts(noise_key(key), ids(ids_B, x.size(0)), at::full_like(x, rate_)).add_(x);
  }

  bool has_mean() const override { return true; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents&) const override { return signals(x_BD).add(rate_); }
  bool has_vjp() const override { return true; }
  at::Tensor vjp(const at::Tensor& x_BD, const Latents&, const at::Tensor& v_BD) const override {
    return observations(v_BD, signals(x_BD).size(0), "v_BM");
  }

 private:
  double rate_;
};

}  // namespace

ChannelDescription describe_poisson_additive() {
  ChannelDescription channel =
      describe_built_in("poisson_additive", "Additive Poisson noise",
                        "y = x + N, N ~ Poisson(rate) independent of x: the published code's variant, for comparison; "
                        "see poisson for shot noise. Mean x + rate, variance rate.");
  add_real(channel, "rate", "data units", "Mean and variance of the noise.", 0.1, 0, 1e6, UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1};
  return channel;
}

std::unique_ptr<Channel> make_poisson_additive(BuiltInSetup setup) { return std::make_unique<PoissonAdditive>(std::move(setup)); }

}  // namespace unchannel
