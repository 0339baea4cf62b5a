#include <torch/nn.h>

#include <unchannel/base/error.hpp>

#include "families.hpp"

// Shape legend: B batch · P planes · L length at a level · E embedding
namespace unchannel {
namespace {

constexpr std::int64_t kTimeFeatures = 64;
constexpr std::int64_t kKernel = 5;
constexpr std::int64_t kGroupPlanes = 8;

torch::nn::Conv1d convolution(std::int64_t in, std::int64_t out, std::int64_t kernel, std::int64_t stride = 1) {
  return torch::nn::Conv1d(torch::nn::Conv1dOptions(in, out, kernel).stride(stride).padding(kernel / 2));
}

torch::nn::GroupNorm group_norm(std::int64_t planes) {
  const std::int64_t groups = planes % kGroupPlanes == 0 ? planes / kGroupPlanes : 1;
  return torch::nn::GroupNorm(torch::nn::GroupNormOptions(groups, planes));
}

/// Residual block of the ADM U-Net in one dimension: norm, silu, conv, shift by the embedding, norm, silu, dropout, conv.
struct BlockImpl : torch::nn::Module {
  BlockImpl(std::int64_t in, std::int64_t out, std::int64_t embedding, std::uint64_t index) : layer_index(index) {
    norm1 = register_module("norm1", group_norm(in));
    conv1 = register_module("conv1", convolution(in, out, kKernel));
    embed = register_module("embed", torch::nn::Linear(embedding, out));
    norm2 = register_module("norm2", group_norm(out));
    conv2 = register_module("zero_conv2", convolution(out, out, kKernel));
    if (in != out) skip = register_module("skip", convolution(in, out, 1));
  }

  at::Tensor forward(const at::Tensor& h_BPL, const at::Tensor& e_BE, const NetworkInput& input, double dropout) {
    at::Tensor inner = conv1(at::silu(norm1(h_BPL))) + embed(e_BE).unsqueeze(2);
    inner = at::silu(norm2(inner));
    if (input.training && dropout > 0.0) inner = keyed_dropout(inner, dropout, input.dropout_key, layer_index, input.ids_B);
    return (skip ? skip(h_BPL) : h_BPL) + conv2(inner);
  }

  std::uint64_t layer_index;
  torch::nn::GroupNorm norm1{nullptr}, norm2{nullptr};
  torch::nn::Conv1d conv1{nullptr}, conv2{nullptr}, skip{nullptr};
  torch::nn::Linear embed{nullptr};
};
TORCH_MODULE(Block);

/// U-Net along one axis: every level halves the length by a strided convolution and doubles it back by repetition.
struct Unet1d : torch::nn::Module {
  Unet1d(const ModelSettings& settings, const NetworkShape& shape) : shape_(shape), dropout_(settings.dropout) {
    const std::int64_t width = settings.width, embedding = 4 * width;
    embed1_ = register_module("embed1", torch::nn::Linear(kTimeFeatures + shape.conditions, embedding));
    embed2_ = register_module("embed2", torch::nn::Linear(embedding, embedding));
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
    at::Tensor h_BPL = input.x_BD.unsqueeze(1);
    if (shape_.planes > 0) h_BPL = at::cat({h_BPL, input.planes_BPS}, 1);
    h_BPL = stem_(h_BPL);
    std::vector<at::Tensor> skips = {h_BPL};
    for (std::size_t i = 0; i < down_.size(); ++i) {
      h_BPL = down_[i]->forward(h_BPL, e_BE, input, dropout_);
      skips.push_back(h_BPL);
      const bool level_ends = (static_cast<std::int64_t>(i) + 1) % blocks_per_level_ == 0;
      const std::size_t level = i / static_cast<std::size_t>(blocks_per_level_);
      if (level_ends && level < shrink_.size()) skips.push_back(h_BPL = shrink_[level](h_BPL));
    }
    for (auto& block : middle_) h_BPL = block->forward(h_BPL, e_BE, input, dropout_);
    for (std::size_t i = 0; i < up_.size(); ++i) {
      h_BPL = up_[i]->forward(at::cat({h_BPL, skips.back()}, 1), e_BE, input, dropout_);
      skips.pop_back();
      const bool level_ends = (static_cast<std::int64_t>(i) + 1) % (blocks_per_level_ + 1) == 0;
      const std::size_t level = i / static_cast<std::size_t>(blocks_per_level_ + 1);
      if (level_ends && level < grow_.size()) h_BPL = grow_[level](at::repeat_interleave(h_BPL, 2, 2));
    }
    return head_(at::silu(norm_(h_BPL))).to(at::kFloat);
  }

  NetworkShape shape_;
  double dropout_;
  std::int64_t blocks_per_level_ = 1;
  torch::nn::Linear embed1_{nullptr}, embed2_{nullptr};
  torch::nn::Conv1d stem_{nullptr}, head_{nullptr};
  torch::nn::GroupNorm norm_{nullptr};
  std::vector<Block> down_, middle_, up_;
  std::vector<torch::nn::Conv1d> shrink_, grow_;
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
