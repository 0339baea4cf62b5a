#include <torch/nn.h>

#include <algorithm>

#include <unchannel/base/error.hpp>

#include "attention.hpp"
#include "families.hpp"
#include "norm_silu.hpp"
#include "packed_layers.hpp"

// Shape legend: B batch · P planes · H, W height and width at a level · S = H·W of the signal · E embedding
namespace unchannel {
namespace {

constexpr std::int64_t kKernel = 3;
constexpr std::int64_t kGroups = 32;
constexpr std::int64_t kPlanesPerGroup = 4;
constexpr std::int64_t kLatentPlanes = 8;  // [SCSI, appendix C]: width of the small U-Net on two-dimensional latents
constexpr std::int64_t kScalarLatentLayers = 3;

PackedConvolution convolution(std::int64_t in, std::int64_t out, std::int64_t kernel) {
  return PackedConvolution(torch::nn::Conv2dOptions(in, out, kernel).padding(kernel / 2));
}

torch::nn::GroupNorm group_norm(std::int64_t planes) {
  std::int64_t groups = std::min(kGroups, std::max<std::int64_t>(1, planes / kPlanesPerGroup));
  while (planes % groups != 0) --groups;
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, planes));
}

enum class Resample { kNone, kHalve, kDouble };

at::Tensor resample(const at::Tensor& h_BPHW, Resample how) {
  if (how == Resample::kHalve) return at::avg_pool2d(h_BPHW, {2, 2});
  if (how == Resample::kDouble) return at::upsample_nearest2d(h_BPHW, at::IntArrayRef{2 * h_BPHW.size(2), 2 * h_BPHW.size(3)});
  return h_BPHW;
}

/// Images in channels-last memory. With one plane both formats are the same memory, and only the strides say which one convolutions shall keep.
at::Tensor channels_last(const at::Tensor& images_BPHW) {
  const std::int64_t planes = images_BPHW.size(1), height = images_BPHW.size(2), width = images_BPHW.size(3);
  return images_BPHW.contiguous(at::MemoryFormat::ChannelsLast).as_strided(images_BPHW.sizes(), {planes * height * width, 1, planes * width, planes});
}

/// Self-attention over all pixels, added to its input; starts as the identity.
struct AttentionImpl : torch::nn::Module {
  AttentionImpl(std::int64_t planes, std::int64_t head_planes)
      : heads(std::max<std::int64_t>(1, planes / head_planes)),
        norm(register_module("norm", group_norm(planes))),
        qkv(register_module("qkv", convolution(planes, 3 * planes, 1))),
        out(register_module("zero_out", convolution(planes, planes, 1))) {}

  at::Tensor forward(const at::Tensor& h_BPHW) {
    const std::int64_t batch = h_BPHW.size(0), planes = h_BPHW.size(1), height = h_BPHW.size(2), width = h_BPHW.size(3);
    const SharedNorm normed = norm_shared(h_BPHW, norm);
    // Channels-last memory is [B, HW, 3·heads·planes of a head]: the views copy nothing.
    const at::Tensor all = qkv(normed.out_BPHW).permute({0, 2, 3, 1}).reshape({batch, height * width, 3, heads, planes / heads});
    return normed.input_BPHW + out(attend(all).reshape({batch, height, width, planes}).permute({0, 3, 1, 2}));
  }

  std::int64_t heads;
  torch::nn::GroupNorm norm;
  PackedConvolution qkv, out;
};
TORCH_MODULE(Attention);

struct BlockShape {
  std::int64_t in, out, embedding;
  bool attention = false;
  Resample resampling = Resample::kNone;
};

/// Residual block of Dhariwal and Nichol: the embedding scales and shifts the second normalisation.
struct Block2dImpl : torch::nn::Module {
  Block2dImpl(const BlockShape& shape, std::int64_t head_planes, std::uint64_t index) : layer_index(index), resampling(shape.resampling) {
    norm1 = register_module("norm1", group_norm(shape.in));
    conv1 = register_module("conv1", convolution(shape.in, shape.out, kKernel));
    if (shape.embedding > 0) embed = register_module("embed", PackedLinear(shape.embedding, 2 * shape.out));
    norm2 = register_module("norm2", group_norm(shape.out));
    conv2 = register_module("zero_conv2", convolution(shape.out, shape.out, kKernel));
    if (shape.in != shape.out) skip = register_module("skip", convolution(shape.in, shape.out, 1));
    if (shape.attention) attention = register_module("attention", Attention(shape.out, head_planes));
  }

  /// The block's output, and its input for whoever needs it later (undefined where a skip has joined it). e_BE is undefined in a U-Net
  /// without embedding, skip_BPHW in a block without skip.
  std::pair<at::Tensor, at::Tensor> forward(const at::Tensor& h_BPHW, const at::Tensor& skip_BPHW, const at::Tensor& e_BE, const NetworkInput& input,
                                            double dropout) {
    const SharedNorm first = skip_BPHW.defined() ? norm_silu_joined(h_BPHW, skip_BPHW, norm1) : norm_silu_shared(h_BPHW, norm1);
    at::Tensor inner = conv1(resample(first.out_BPHW, resampling));
    inner = norm_silu(inner, norm2, embed ? embed(e_BE) : at::Tensor());
    if (input.training && dropout > 0.0) inner = keyed_dropout(inner, dropout, input.dropout_key, layer_index, input.ids_B);
    const at::Tensor resampled = resample(first.input_BPHW, resampling);
    const at::Tensor sum = (skip ? skip(resampled) : resampled) + conv2(inner);
    return {attention ? attention(sum) : sum, first.again_BPHW};
  }

  std::uint64_t layer_index;
  Resample resampling;
  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  PackedConvolution conv1{nullptr}, conv2{nullptr}, skip{nullptr};
  PackedLinear embed{nullptr};
  Attention attention{nullptr};
};
TORCH_MODULE(Block2d);

struct UnetShape {
  std::int64_t in, out, width, height, embedding, blocks_per_level;
  std::vector<std::int64_t> multipliers, attention;
  std::int64_t head_planes;
  bool zero_head;
};

/// Encoder, middle and decoder with skips from every block, as in Dhariwal and Nichol's diffusion U-Net.
struct UnetTrunkImpl : torch::nn::Module {
  explicit UnetTrunkImpl(const UnetShape& shape) {
    stem_ = register_module("stem", convolution(shape.in, shape.width * shape.multipliers[0], kKernel));
    std::int64_t planes = shape.width * shape.multipliers[0];
    std::vector<std::int64_t> skips = {planes};
    std::uint64_t index = 0;
    const auto add = [&](std::vector<Block2d>& list, const char* name, BlockShape block) {
      block.embedding = shape.embedding;
      list.push_back(register_module(name + std::to_string(index), Block2d(block, shape.head_planes, index)));
      ++index;
      planes = block.out;
    };
    const auto attends = [&](std::size_t level) {
      const std::int64_t height = shape.height >> level;
      return std::find(shape.attention.begin(), shape.attention.end(), height) != shape.attention.end();
    };
    const std::size_t levels = shape.multipliers.size();
    for (std::size_t level = 0; level < levels; ++level) {
      if (level > 0) {
        add(down_, "down", {.in = planes, .out = planes, .embedding = 0, .resampling = Resample::kHalve});
        skips.push_back(planes);
      }
      for (std::int64_t block = 0; block < shape.blocks_per_level; ++block) {
        add(down_, "down", {.in = planes, .out = shape.width * shape.multipliers[level], .embedding = 0, .attention = attends(level)});
        skips.push_back(planes);
      }
    }
    add(middle_, "middle", {.in = planes, .out = planes, .embedding = 0, .attention = !shape.attention.empty()});
    add(middle_, "middle", {.in = planes, .out = planes, .embedding = 0});
    for (std::size_t level = levels; level-- > 0;) {
      if (level + 1 < levels) {
        add(up_, "up", {.in = planes, .out = planes, .embedding = 0, .resampling = Resample::kDouble});
        takes_skip_.push_back(false);
      }
      for (std::int64_t block = 0; block <= shape.blocks_per_level; ++block) {
        add(up_, "up",
            {.in = planes + skips.back(), .out = shape.width * shape.multipliers[level], .embedding = 0, .attention = attends(level)});
        skips.pop_back();
        takes_skip_.push_back(true);
      }
    }
    norm_ = register_module("norm", group_norm(planes));
    head_ = register_module(shape.zero_head ? "zero_head" : "head", convolution(planes, shape.out, kKernel));
  }

  at::Tensor forward(const at::Tensor& in_BPHW, const at::Tensor& e_BE, const NetworkInput& input, double dropout) {
    at::Tensor h_BPHW = stem_(in_BPHW);
    std::vector<at::Tensor> skips;
    const auto run = [&](Block2d& block, const at::Tensor& skip_BPHW) {
      auto [out_BPHW, again_BPHW] = block->forward(h_BPHW, skip_BPHW, e_BE, input, dropout);
      h_BPHW = std::move(out_BPHW);
      return again_BPHW;
    };
    for (auto& block : down_) skips.push_back(run(block, {}));
    skips.push_back(run(middle_.front(), {}));
    for (std::size_t i = 1; i < middle_.size(); ++i) run(middle_[i], {});
    for (std::size_t i = 0; i < up_.size(); ++i) {
      at::Tensor skip_BPHW;
      if (takes_skip_[i]) {
        skip_BPHW = std::move(skips.back());
        skips.pop_back();
      }
      run(up_[i], skip_BPHW);
    }
    return head_(norm_silu(h_BPHW, norm_));
  }

  PackedConvolution stem_{nullptr}, head_{nullptr};
  torch::nn::GroupNorm norm_{nullptr};
  std::vector<Block2d> down_, middle_, up_;
  std::vector<bool> takes_skip_;
};
TORCH_MODULE(UnetTrunk);

/// The drift's network for images [SCSI, appendix C]: trunk, time embedding, a small U-Net for latents of the image's extent, whose
/// planes join the input, and a perceptron for the other latents, added to the time embedding.
struct Unet2d : torch::nn::Module {
  Unet2d(const ModelSettings& settings, const NetworkShape& shape)
      : planes_(shape.extents[0]), height_(shape.extents[1]), width_(shape.extents[2]), shape_(shape), settings_(settings) {
    const std::int64_t embedding = 4 * settings.width;
    embed1_ = register_module("embed1", PackedLinear(settings.width, embedding));
    embed2_ = register_module("embed2", PackedLinear(embedding, embedding));
    if (shape.conditions > 0) {
      condition_ = register_module("condition", torch::nn::Sequential());
      for (std::int64_t layer = 0, in = shape.conditions; layer < kScalarLatentLayers; ++layer, in = embedding) {
        if (layer > 0) condition_->push_back(torch::nn::SiLU());
        condition_->push_back(PackedLinear(in, embedding));
      }
    }
    UnetShape trunk{.in = planes_, .out = planes_ * shape.outputs, .width = settings.width, .height = height_, .embedding = embedding,
                    .blocks_per_level = settings.blocks_per_level, .multipliers = settings.multipliers, .attention = settings.attention,
                    .head_planes = settings.head_planes, .zero_head = true};
    if (shape.planes > 0) {
      trunk.in += kLatentPlanes;
      latents_ = register_module("latents", UnetTrunk(UnetShape{.in = shape.planes, .out = kLatentPlanes, .width = kLatentPlanes,
                                                                .height = height_, .embedding = 0, .blocks_per_level = 1,
                                                                .multipliers = settings.multipliers, .attention = {},
                                                                .head_planes = settings.head_planes, .zero_head = false}));
    }
    trunk_ = register_module("trunk", UnetTrunk(trunk));
    to(at::MemoryFormat::ChannelsLast);
  }

  void to(at::MemoryFormat format) {
    const at::NoGradGuard no_grad;
    for (at::Tensor& parameter : parameters()) {
      if (parameter.dim() == 4) parameter.set_data(parameter.contiguous(format));
    }
  }

  at::Tensor forward(const NetworkInput& input) {
    const std::int64_t batch = input.x_BD.size(0);
    at::Tensor e_BE = embed2_(at::silu(embed1_(position_features(input.t_B, settings_.width, settings_.max_position))));
    if (condition_) e_BE = e_BE + condition_->forward(input.conditions_BC);
    e_BE = at::silu(e_BE);
    at::Tensor h_BPHW = channels_last(input.x_BD.view({batch, planes_, height_, width_}));
    if (latents_) {
      const at::Tensor planes = channels_last(input.planes_BPS.view({batch, -1, height_, width_}));
      h_BPHW = at::cat({h_BPHW, latents_->forward(planes, {}, input, 0.0)}, 1);
    }
    const at::Tensor out = trunk_->forward(h_BPHW, e_BE, input, settings_.dropout);
    return out.to(at::kFloat).contiguous().view({batch, shape_.outputs, shape_.dimension});
  }

  std::int64_t planes_, height_, width_;
  NetworkShape shape_;
  ModelSettings settings_;
  PackedLinear embed1_{nullptr}, embed2_{nullptr};
  torch::nn::Sequential condition_{nullptr};
  UnetTrunk latents_{nullptr}, trunk_{nullptr};
};

/// Height and width must survive the halvings, and heads must divide the planes that attend.
void check_shape(const ModelSettings& settings, const NetworkShape& shape) {
  const auto levels = static_cast<std::int64_t>(settings.multipliers.size());
  check<ConfigError>(shape.extents.size() == 3, "model.family = \"unet2d\" needs signals of three axes [planes, height, width]; these have {}. "
                     "Choose \"unet1d\" or \"mlp\".", std::max<std::size_t>(1, shape.extents.size()));
  check<ConfigError>(levels > 0, "model.multipliers is empty; name one multiplier per level, e.g. [1, 2, 3].");
  const std::int64_t divisor = std::int64_t{1} << (levels - 1);
  check<ConfigError>(shape.extents[1] % divisor == 0 && shape.extents[2] % divisor == 0,
                     "model.multipliers has {} levels, so height and width must be divisible by {}; the signal is {} x {}. Use fewer levels.",
                     levels, divisor, shape.extents[1], shape.extents[2]);
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::int64_t planes = settings.width * settings.multipliers[level];
    const bool attends = std::find(settings.attention.begin(), settings.attention.end(), shape.extents[1] >> level) != settings.attention.end();
    const std::int64_t heads = std::max<std::int64_t>(1, planes / settings.head_planes);
    check<ConfigError>(!attends || planes % heads == 0,
                       "model.head_planes = {} makes {} heads at the level of height {}, which do not divide its {} planes.", settings.head_planes, heads,
                       shape.extents[1] >> level, planes);
  }
  for (const std::int64_t height : settings.attention) {
    bool known = false;
    for (std::int64_t level = 0; level < levels; ++level) known = known || shape.extents[1] >> level == height;
    check<ConfigError>(known, "model.attention names height {}, which no level has: the signal's height {} is halved {} times.", height,
                       shape.extents[1], levels - 1);
  }
}

}  // namespace

std::unique_ptr<Network> make_unet2d(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  check_shape(settings, shape);
  auto module = std::make_shared<Unet2d>(settings, shape);
  initialise_weights(*module, key);
  return std::make_unique<ModuleNetwork<Unet2d>>(std::move(module));
}

}  // namespace unchannel
