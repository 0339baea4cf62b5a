#include <unchannel/base/error.hpp>

#include "built_ins.hpp"
#include "describe.hpp"
#include "mask_channel.hpp"
#include "philox_tensors.hpp"

// Shape legend: B batch · H rows · W columns
namespace unchannel {
namespace {

class RandomMask final : public MaskChannel {
 public:
  explicit RandomMask(BuiltInSetup setup)
      : MaskChannel(setup, {ImageLayout::of(setup.shape, setup.description.id).plane_shape()}), hidden_share_(setup.real("hidden_share")) {}

 private:
  at::Tensor draw(std::size_t index, RandomKey key, const at::Tensor& ids_B) const override {
    std::vector<std::int64_t> shape = latents()[index].shape;
    shape.insert(shape.begin(), ids_B.numel());
    return uniforms(key, ids_B, layout().rows * layout().columns, ids_B.device()).gt(hidden_share_).to(at::kFloat).view(shape);
  }

  at::Tensor kept(const Latents& latents, std::int64_t count, c10::Device device) const override {
    const at::Tensor mask = latent(0, latents, count, device);
    const at::Tensor kept = mask.eq(1);
    check<DataError>(kept.logical_or(mask.eq(0)).all().item<bool>(),
                     "channel {}: latent 'mask' has values other than 0 (hidden) and 1 (kept).", id());
    return kept.view({count, 1, layout().rows, layout().columns});
  }

  double hidden_share_;
};

}  // namespace

ChannelDescription describe_random_mask() {
  ChannelDescription channel = describe_built_in(
      "random_mask", "Random mask",
      "Each pixel is hidden with probability hidden_share, in all planes at once; hidden pixels hold standard normal noise, "
      "the others y = x + noise_sigma * n [SCSI, section 5; its rho is hidden_share].");
  add_real(channel, "hidden_share", "1", "Probability that a pixel is hidden.", 0.5, 0, 1);
  add_noise_sigma(channel, 0.1);
  add_latent(channel, "mask", "1", "1 where a pixel is kept, 0 where it is hidden; shape [1, H, W], or [L] for signals with one axis.",
             "Bernoulli(1 - hidden_share)", UNCHANNEL_LATENT_F32);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_random_mask(BuiltInSetup setup) { return std::make_unique<RandomMask>(std::move(setup)); }

}  // namespace unchannel
