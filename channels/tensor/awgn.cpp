#include <limits>

#include "built_ins.hpp"
#include "describe.hpp"
#include "linear_channel.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

/// y = x + σ n: the same bits as the plugin template for the same key and ids.
class Awgn final : public LinearChannel {
 public:
  explicit Awgn(BuiltInSetup setup) : LinearChannel(setup, setup.real("sigma")) {}

 private:
  at::Tensor apply(const at::Tensor& x_BD, const Latents&) const override { return x_BD; }
  at::Tensor transposed(const at::Tensor& v_BD, const Latents&) const override { return v_BD; }
};

}  // namespace

ChannelDescription describe_awgn() {
  ChannelDescription channel =
      describe_built_in("awgn", "Additive white Gaussian noise", "y = x + sigma * n, n standard normal and independent in every element.");
  add_real(channel, "sigma", "data units", "Standard deviation of the noise.", 0.5, 0, std::numeric_limits<double>::infinity(),
           UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_awgn(BuiltInSetup setup) { return std::make_unique<Awgn>(std::move(setup)); }

}  // namespace unchannel
