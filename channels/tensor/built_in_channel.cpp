#include "built_in_channel.hpp"

#include <ATen/ops/empty.h>

#include <unchannel/base/error.hpp>

#include "abi_types.hpp"
#include "latent_options.hpp"
#include "philox_tensors.hpp"
#include "tensor_checks.hpp"

namespace unchannel {

BuiltInChannel::BuiltInChannel(BuiltInSetup setup, std::vector<std::vector<std::int64_t>> latent_shapes) : setup_(std::move(setup)) {
  std::vector<LatentChoice> choices;
  for (std::size_t i = 0; i < setup_.description.latents.size(); ++i) {
    choices.push_back(latent_choice(setup_.description.latents[i], latent_shapes.at(i)));
  }
  specs_ = apply_latent_options(id(), std::move(choices), {}, setup_.latent_options);
}

Determinism BuiltInChannel::determinism() const { return determinism_of(setup_.description.determinism); }

nlohmann::json BuiltInChannel::configuration() const {
  nlohmann::json record = {{"id", id()}, {"version", version()}, {"kind", "built-in"}, {"parameters", setup_.parameters}};
  if (!specs_.empty()) record["latents"] = latent_record(specs_);
  return record;
}

Latents BuiltInChannel::draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor&) const {
  Latents drawn;
  const at::Tensor checked = ids(ids_B, -1);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].source != LatentSource::kFresh) continue;
    drawn.emplace(specs_[i].name, draw(i, latent_key(key, i), checked));
  }
  return drawn;
}

at::Tensor BuiltInChannel::draw(std::size_t, RandomKey, const at::Tensor&) const { return {}; }

at::Tensor BuiltInChannel::lift(const at::Tensor& y_BM, const Latents&) const { return observations(y_BM, -1, "y_BM"); }

at::Tensor BuiltInChannel::signals(const at::Tensor& x_BD) const {
  const std::int64_t size = elements_of(setup_.shape);
  const at::Tensor x = checked_layout(x_BD, at::kFloat, -1, size, fmt::format("channel {}: x_BD", id()));
  return x.view({x.size(0), size});
}

at::Tensor BuiltInChannel::observations(const at::Tensor& y_BM, std::int64_t count, const char* name) const {
  const std::int64_t size = elements_of(observation_shape());
  const at::Tensor y = checked_layout(y_BM, at::kFloat, count, size, fmt::format("channel {}: {}", id(), name));
  return y.view({y.size(0), size});
}

at::Tensor BuiltInChannel::ids(const at::Tensor& ids_B, std::int64_t count) const {
  return checked_layout(ids_B, at::kLong, count, 1, fmt::format("channel {}: ids_B", id()));
}

at::Tensor BuiltInChannel::latent(std::size_t index, const Latents& latents, std::int64_t count, c10::Device device) const {
  const LatentSpec& spec = specs_[index];
  const auto found = latents.find(spec.name);
  check<ShapeError>(found != latents.end(), "channel {}: latent '{}' is missing.", id(), spec.name);
  return checked_layout(found->second, spec.type, count, elements_of(spec.shape), fmt::format("channel {}: latent '{}'", id(), spec.name))
      .to(device);
}

}  // namespace unchannel
