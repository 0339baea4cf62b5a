#pragma once

#include <torch/nn.h>

#include "network.hpp"

namespace unchannel {

std::unique_ptr<Network> make_mlp(const ModelSettings& settings, const NetworkShape& shape, RandomKey key);
/// Starts at zero as a whole, so there is no key.
std::unique_ptr<Network> make_affine(const ModelSettings& settings, const NetworkShape& shape);
std::unique_ptr<Network> make_unet1d(const ModelSettings& settings, const NetworkShape& shape, RandomKey key);
std::unique_ptr<Network> make_unet2d(const ModelSettings& settings, const NetworkShape& shape, RandomKey key);
/// `settings.members` networks of the family; see ModelSettings.
std::unique_ptr<Network> make_committee(const ModelSettings& settings, const NetworkShape& shape, RandomKey key);

/// A Network over a torch module: names and order of parameters come from the module's registration.
template <class Module>
class ModuleNetwork final : public Network {
 public:
  explicit ModuleNetwork(std::shared_ptr<Module> module) : module_(std::move(module)) {}
  at::Tensor forward(const NetworkInput& input) override { return module_->forward(input); }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    std::vector<std::pair<std::string, at::Tensor>> list;
    for (const auto& item : module_->named_parameters()) list.emplace_back(item.key(), item.value());
    return list;
  }

 private:
  std::shared_ptr<Module> module_;
};

/// Fills every weight of `module` from the key (normal, variance 1 / fan-in), biases with zero; the k-th parameter uses sample id k.
void initialise_weights(torch::nn::Module& module, RandomKey key);

/// cos and sin features of t ∈ [0, 1] at `count`/2 geometrically spaced frequencies up to `max_frequency`: [B] → [B, count].
at::Tensor time_features(const at::Tensor& t_B, std::int64_t count, double max_frequency = 64.0);

/// cos and sin of t at `count`/2 geometrically spaced angular frequencies from 1 down to about 1/max_position: [B] → [B, count]. The embedding
/// of Dhariwal and Nichol with the published code's range of positions.
at::Tensor position_features(const at::Tensor& t_B, std::int64_t count, double max_position);

/// Dropout whose mask is a pure function of (key, layer, sample id): x [B, …] scaled by 1/(1−p) where kept.
at::Tensor keyed_dropout(const at::Tensor& x, double p, RandomKey key, std::uint64_t layer, const at::Tensor& ids_B);

}  // namespace unchannel
