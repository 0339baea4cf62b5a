#include <torch/nn.h>

#include <algorithm>
#include <cmath>

#include "families.hpp"
#include "packed_layers.hpp"

// Shape legend: B batch · D data dimension · W width · K outputs
namespace unchannel {
namespace {

constexpr std::int64_t kTimeFeatures = 32;
constexpr double kMaxTimeFrequency = 8.0;

/// Pre-normalised residual block with a gate, h + A₂(silu(a) ⊙ b) with (a, b) = A₁ norm(h). The product matters: evidence about
/// hidden places and levels is quadratic in the data, and a plain block of the same size fits it far more slowly.
struct MlpBlockImpl : torch::nn::Module {
  MlpBlockImpl(std::int64_t width, std::int64_t layer)
      : layer_index(static_cast<std::uint64_t>(layer)),
        norm(register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})))),
        first(register_module("first", PackedLinear(width, 2 * gated_width(width)))),
        second(register_module("second", PackedLinear(gated_width(width), width))) {}

  static std::int64_t gated_width(std::int64_t width) { return std::max<std::int64_t>(1, width * 3 / 4); }

  at::Tensor forward(const at::Tensor& h_BW, const NetworkInput& input, double dropout) {
    const std::vector<at::Tensor> halves = first(norm(h_BW)).chunk(2, 1);
    at::Tensor inner = at::silu(halves[0]) * halves[1];
    if (input.training && dropout > 0.0) inner = keyed_dropout(inner, dropout, input.dropout_key, layer_index, input.ids_B);
    return h_BW + second(inner);
  }

  std::uint64_t layer_index;
  torch::nn::LayerNorm norm;
  PackedLinear first, second;
};
TORCH_MODULE(MlpBlock);

/// Fully connected residual network on x, planes, conditions and time features.
struct Mlp : torch::nn::Module {
  Mlp(const ModelSettings& settings, const NetworkShape& shape)
      : shape_(shape), dropout_(settings.dropout), octaves_(settings.input_octaves) {
    const std::int64_t inputs = shape.dimension * (1 + 2 * settings.input_octaves) + shape.planes * shape.plane_size() + shape.conditions + kTimeFeatures;
    input_ = register_module("input", PackedLinear(inputs, settings.width));
    for (std::int64_t layer = 0; layer < settings.depth; ++layer) {
      blocks_.push_back(register_module("block" + std::to_string(layer), MlpBlock(settings.width, layer)));
    }
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({settings.width})));
    output_ = register_module("zero_output", PackedLinear(settings.width, shape.outputs * shape.dimension));
  }

  at::Tensor forward(const NetworkInput& input) {
    std::vector<at::Tensor> parts = {input.x_BD, time_features(input.t_B, kTimeFeatures, kMaxTimeFrequency)};
    for (std::int64_t octave = 0; octave < octaves_; ++octave) {
      const at::Tensor phase_BD = input.x_BD * std::exp2(static_cast<double>(octave));
      parts.push_back(phase_BD.sin());
      parts.push_back(phase_BD.cos());
    }
    if (shape_.planes > 0) parts.push_back(input.planes_BPS.flatten(1));
    if (shape_.conditions > 0) parts.push_back(input.conditions_BC);
    at::Tensor h_BW = input_(at::cat(parts, 1));
    for (auto& block : blocks_) h_BW = block->forward(h_BW, input, dropout_);
    const at::Tensor out = output_(at::silu(norm_(h_BW)));
    return out.to(at::kFloat).view({-1, shape_.outputs, shape_.dimension});
  }

  NetworkShape shape_;
  double dropout_;
  std::int64_t octaves_;
  PackedLinear input_{nullptr}, output_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
  std::vector<MlpBlock> blocks_;
};

}  // namespace

std::unique_ptr<Network> make_mlp(const ModelSettings& settings, const NetworkShape& shape, RandomKey key) {
  auto module = std::make_shared<Mlp>(settings, shape);
  initialise_weights(*module, key);
  return std::make_unique<ModuleNetwork<Mlp>>(std::move(module));
}

}  // namespace unchannel
