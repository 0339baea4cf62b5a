#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <unchannel/random.h>

#include <unchannel/base/error.hpp>

#include "built_ins.hpp"
#include "describe.hpp"
#include "mask_channel.hpp"

// Shape legend: B batch · H rows · W columns
namespace unchannel {
namespace {

class BlockMask final : public MaskChannel {
 public:
  explicit BlockMask(BuiltInSetup setup) : MaskChannel(setup, {{2}}), height_(setup.integer("height")), width_(setup.integer("width")) {
    ImageLayout::of(setup.shape, id(), /*needs_image=*/true);
    check<ConfigError>(height_ <= layout().rows && width_ <= layout().columns,
                       "channel {}: a block of height = {} and width = {} does not fit into {} x {} pixels.", id(), height_, width_,
                       layout().rows, layout().columns);
  }

 private:
  at::Tensor draw(std::size_t, RandomKey key, const at::Tensor& ids_B) const override {
    const at::Tensor ids = ids_B.cpu();
    at::Tensor position_B2 = at::empty({ids.numel(), 2}, at::kInt);
    auto* position = position_B2.mutable_data_ptr<std::int32_t>();
    const auto* id = ids.const_data_ptr<std::int64_t>();
    for (std::int64_t i = 0; i < ids.numel(); ++i) {
      position[2 * i] = below(key, static_cast<std::uint64_t>(id[i]), 0, layout().rows - height_ + 1);
      position[2 * i + 1] = below(key, static_cast<std::uint64_t>(id[i]), 1, layout().columns - width_ + 1);
    }
    return position_B2.to(ids_B.device());
  }

  static std::int32_t below(RandomKey key, std::uint64_t id, std::uint32_t element, std::int64_t count) {
    return static_cast<std::int32_t>(unchannel_below(unchannel_word(key.value(), id, element, 0), static_cast<std::uint32_t>(count)));
  }

  at::Tensor kept(const Latents& latents, std::int64_t count, c10::Device device) const override {
    const at::Tensor position_B2 = latent(0, latents, count, device).view({count, 2});
    return inside(position_B2.select(1, 0), height_, layout().rows)
        .view({count, 1, layout().rows, 1})
        .logical_and(inside(position_B2.select(1, 1), width_, layout().columns).view({count, 1, 1, layout().columns}))
        .logical_not_();
  }

  /// bool [B, extent]: which of the pixels of an axis lie in [first, first + length).
  at::Tensor inside(const at::Tensor& first_B, std::int64_t length, std::int64_t extent) const {
    const at::Tensor first_B1 = first_B.unsqueeze(1);
    check<DataError>(first_B.ge(0).logical_and_(first_B.le(extent - length)).all().item<bool>(),
                     "channel {}: latent 'position' has blocks that are not inside the image.", id());
    const at::Tensor pixel = at::arange(extent, first_B.options());
    return pixel.ge(first_B1).logical_and_(pixel.lt(first_B1.add(length)));
  }

  std::int64_t height_, width_;
};

}  // namespace

ChannelDescription describe_block_mask() {
  ChannelDescription channel = describe_built_in(
      "block_mask", "Block mask",
      "A rectangle anywhere inside the image is hidden, in all planes at once; hidden pixels hold standard normal noise, the "
      "others y = x + noise_sigma * n.");
  constexpr std::int64_t kLargest = 1 << 20;
  add_integer(channel, "height", "pixels", "Rows of the hidden rectangle.", 8, 1, kLargest);
  add_integer(channel, "width", "pixels", "Columns of the hidden rectangle.", 8, 1, kLargest);
  add_noise_sigma(channel, 0.1);
  add_latent(channel, "position", "pixels", "Row and column of the rectangle's first pixel, from 0.", "uniform over all places inside",
             UNCHANNEL_LATENT_I32);
  channel.capabilities = {UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

std::unique_ptr<Channel> make_block_mask(BuiltInSetup setup) { return std::make_unique<BlockMask>(std::move(setup)); }

}  // namespace unchannel
