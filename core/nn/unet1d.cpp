#include <torch/nn.h>

#include <unchannel/base/error.hpp>

#include "families.hpp"
#include "norm_silu.hpp"
#include "packed_layers.hpp"

// Shape legend: B batch · P planes · L length at a level, which is the width of images of height 1 · E embedding
namespace unchannel {
namespace {

constexpr std::int64_t kTimeFeatures = 64;
constexpr std::int64_t kKernel = 5;
constexpr std::int64_t kGroupPlanes = 8;

PackedLineConvolution convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1) {
  return PackedLineConvolution(torch::nn::Conv1dOptions(in, out, kernel).stride(stride).padding(kernel / 2));
}

torch::nn::GroupNorm group_norm(std::int64_t planes) {
  const std::int64_t groups = planes % kGroupPlanes == 0 ? planes / kGroupPlanes : 1;
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, planes));
}

/// Every element twice.
at::Tensor doubled(const at::Tensor& h_BP1L) { return at::upsample_nearest2d(h_BP1L, at::IntArrayRef{1, 2 * h_BP1L.size(3)}); }

/// Residual block of the ADM U-Net in one dimension: norm, silu, conv, shift by the embedding, norm, silu, dropout, conv.
struct BlockImpl : torch::nn::Module {
  BlockImpl(std::int64_t in, std::int64_t out, std::int64_t embedding, std::uint64_t index) : layer_index(index) {
    norm1 = register_module("norm1", group_norm(in));
    conv1 = register_module("conv1", convolution(in, out, kKernel));
    embed = register_module("embed", PackedLinear(embedding, out));
    norm2 = register_module("norm2", group_norm(out));
    conv2 = register_module("zero_conv2", convolution(out, out, kKernel));
    if (in != out) skip = register_module("skip", convolution(in, out, 1));
  }

  /// The block's output, and its input for whoever needs it later (undefined where a skip has joined it). skip_BP1L may be undefined.
  std::pair<at::Tensor, at::Tensor> forward(const at::Tensor& h_BP1L, const at::Tensor& skip_BP1L, const at::Tensor& e_BE, const NetworkInput& input,
                                            double dropout) {
    const SharedNorm first = skip_BP1L.defined() ? norm_silu_joined(h_BP1L, skip_BP1L, norm1) : norm_silu_shared(h_BP1L, norm1);
    at::Tensor inner = conv1(first.out_BPHW) + embed(e_BE).unsqueeze(2).unsqueeze(3);
    inner = norm_silu(inner, norm2);
    if (input.training && dropout > 0.0) inner = keyed_dropout(inner, dropout, input.dropout_key, layer_index, input.ids_B);
    return {(skip ? skip(first.input_BPHW) : first.input_BPHW) + conv2(inner), first.again_BPHW};
  }

  std::uint64_t layer_index;
  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  PackedLineConvolution conv1{nullptr}, conv2{nullptr}, skip{nullptr};
  PackedLinear embed{nullptr};
};
TORCH_MODULE(Block);

/// U-Net along one axis, as images of height 1: every level halves the length by a strided convolution and doubles it back by repetition.
struct Unet1d : torch::nn::Module {
  Unet1d(const ModelSettings& settings, const NetworkShape& shape) : shape_(shape), dropout_(settings.dropout) {
    const std::int64_t width = settings.width, embedding = 4 * width;
    embed1_ = register_module("embed1", PackedLinear(kTimeFeatures + shape.conditions, embedding));
    embed2_ = register_module("embed2", PackedLinear(embedding, embedding));
    stem_ = register_module("stem", convolution(1 + shape.planes, width, kKernel));
    std::vector<std::int64_t> skips = {width};
    std::int64_t planes = width;
    std::uint64_t index = 0;
    const auto add = [&](std::vector<Block>& list, const std::string& name, std::int64_t in, std::int64_t out) {
      list.push_back(register_module(name + std::to_string(index), Block(in, out, embedding, index)));
      ++index;
    };
    for (std::size_t level = 0; level < settings.multipliers.size(); ++level) {
      const std::int64_t out = width * settings.multipliers[level];
      for (std::int64_t block = 0; block < settings.blocks_per_level; ++block) {
        add(down_, "down", planes, out);
        planes = out;
        skips.push_back(planes);
      }
      if (level + 1 < settings.multipliers.size()) {
        shrink_.push_back(register_module("shrink" + std::to_string(level), convolution(planes, planes, 3, 2)));
        skips.push_back(planes);
      }
    }
    add(middle_, "middle", planes, planes);
    add(middle_, "middle", planes, planes);
    for (std::size_t level = settings.multipliers.size(); level-- > 0;) {
      const std::int64_t out = width * settings.multipliers[level];
      for (std::int64_t block = 0; block <= settings.blocks_per_level; ++block) {
        add(up_, "up", planes + skips.back(), out);
        planes = out;
        skips.pop_back();
      }
      if (level > 0) grow_.push_back(register_module("grow" + std::to_string(level), convolution(planes, planes, 3)));
    }
    blocks_per_level_ = settings.blocks_per_level;
    norm_ = register_module("norm", group_norm(planes));
    head_ = register_module("zero_head", convolution(planes, shape.outputs, kKernel));
  }

  at::Tensor forward(const NetworkInput& input) {
    std::vector<at::Tensor> features = {time_features(input.t_B, kTimeFeatures)};
    if (shape_.conditions > 0) features.push_back(input.conditions_BC);
    const at::Tensor e_BE = at::silu(embed2_(at::silu(embed1_(at::cat(features, 1)))));
    at::Tensor h_BP1L = input.x_BD.unsqueeze(1);
    if (shape_.planes > 0) h_BP1L = at::cat({h_BP1L, input.planes_BPS}, 1);
    // Channels-last memory from here on: what follows keeps it.
    h_BP1L = stem_(h_BP1L.unsqueeze(2)).contiguous(at::MemoryFormat::ChannelsLast);
    std::vector<at::Tensor> skips = {h_BP1L};
    const auto run = [&](Block& block, const at::Tensor& skip_BP1L) {
      auto [out_BP1L, again_BP1L] = block->forward(h_BP1L, skip_BP1L, e_BE, input, dropout_);
      h_BP1L = std::move(out_BP1L);
      return again_BP1L;
    };
    for (std::size_t i = 0; i < down_.size(); ++i) {
      skips.back() = run(down_[i], {});
      skips.push_back(h_BP1L);
      const bool level_ends = (static_cast<std::int64_t>(i) + 1) % blocks_per_level_ == 0;
      const std::size_t level = i / static_cast<std::size_t>(blocks_per_level_);
      if (level_ends && level < shrink_.size()) skips.push_back(h_BP1L = shrink_[level](h_BP1L));
    }
    skips.back() = run(middle_.front(), {});
    for (std::size_t i = 1; i < middle_.size(); ++i) run(middle_[i], {});
    for (std::size_t i = 0; i < up_.size(); ++i) {
      run(up_[i], skips.back());
      skips.pop_back();
      const bool level_ends = (static_cast<std::int64_t>(i) + 1) % (blocks_per_level_ + 1) == 0;
      const std::size_t level = i / static_cast<std::size_t>(blocks_per_level_ + 1);
      if (level_ends && level < grow_.size()) h_BP1L = grow_[level](doubled(h_BP1L));
    }
    return head_(norm_silu(h_BP1L, norm_)).squeeze(2).to(at::kFloat).contiguous();
  }

  NetworkShape shape_;
  double dropout_;
  std::int64_t blocks_per_level_ = 1;
  PackedLinear embed1_{nullptr}, embed2_{nullptr};
  PackedLineConvolution stem_{nullptr}, head_{nullptr};
  torch::nn::GroupNorm norm_{nullptr};
  std::vector<Block> down_, middle_, up_;
  std::vector<PackedLineConvolution> shrink_, grow_;
};

}  // namespace

std::unique_ptr<Network> make_unet1d(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  const auto halvings = static_cast<std::int64_t>(settings.multipliers.size()) - 1;
  check<ConfigError>(!settings.multipliers.empty(), "model.multipliers is empty; name one multiplier per level, e.g. [1, 2, 3].");
  check<ConfigError>(shape.dimension % (std::int64_t{1} << halvings) == 0,
                     "model.multipliers has {} levels, so the data dimension must be divisible by {}; it is {}. Use fewer levels.",
                     halvings + 1, std::int64_t{1} << halvings, shape.dimension);
  auto module = std::make_shared<Unet1d>(settings, shape);
  initialise_weights(*module, key);
  return std::make_unique<ModuleNetwork<Unet1d>>(std::move(module));
}

}  // namespace unchannel
