#include "built_ins.hpp"
#include "describe.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · D signal dimensions flattened
namespace unchannel {
namespace {

/// y is the nearest of `levels` equidistant values from −1 to 1, ties to the even level; before that, dither U(−½, ½) × dither_steps steps
/// is added. Without vjp: the derivative is zero wherever it exists.
class Quantise final : public BuiltInChannel {
 public:
  explicit Quantise(BuiltInSetup setup)
      : BuiltInChannel(setup), step_(2.0 / static_cast<double>(setup.integer("levels") - 1)), dither_(setup.real("dither_steps") * step_) {}

  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor x = signals(x_BD), checked = ids(ids_B, x.size(0));
    if (dither_ == 0) return nearest(x);
    return nearest(uniforms(noise_key(key), checked, x.size(1), x.device()).sub_(0.5).mul_(dither_).add_(x));
  }

  bool noise_free() const override { return dither_ == 0; }
  bool has_mean() const override { return dither_ == 0; }
  at::Tensor mean(const at::Tensor& x_BD, const Latents& latents) const override {
    return has_mean() ? nearest(signals(x_BD)) : Channel::mean(x_BD, latents);
  }

 private:
  at::Tensor nearest(const at::Tensor& x) const { return x.clamp(-1, 1).add_(1).mul_(1 / step_).round_().mul_(step_).sub_(1); }

  double step_, dither_;
};

}  // namespace

ChannelDescription describe_quantise() {
  ChannelDescription channel = describe_built_in(
      "quantise", "Quantisation", "y is the nearest of `levels` equidistant values from -1 to 1; values outside become the outermost.");
  add_integer(channel, "levels", "1", "Number of values.", 16, 2, 65536);
  add_real(channel, "dither_steps", "steps", "Width of uniform noise added before; 1: y is unbiased away from the ends.", 0, 0, 16);
  channel.capabilities = {UNCHANNEL_MEAN_1};
  return channel;
}

std::unique_ptr<Channel> make_quantise(BuiltInSetup setup) { return std::make_unique<Quantise>(std::move(setup)); }

}  // namespace unchannel
