#include "plugin_tensor_channel.hpp"

#include <ATen/ops/empty.h>

#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>

#include "abi_types.hpp"
#include "latent_options.hpp"
#include "tensor_checks.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {
namespace {

std::span<const std::uint64_t> as_ids(const at::Tensor& ids_B) {
  return {reinterpret_cast<const std::uint64_t*>(ids_B.const_data_ptr<std::int64_t>()), static_cast<std::size_t>(ids_B.numel())};
}

}  // namespace

PluginTensorChannel::PluginTensorChannel(std::unique_ptr<PluginInstance> plugin, const nlohmann::json& latent_options,
                                         double max_failed_share)
    : plugin_(std::move(plugin)),
      x_size_(elements_of(plugin_->x_shape())),
      y_size_(elements_of(plugin_->y_shape())),
      failures_(std::make_unique<FailureLog>(plugin_->description().id, max_failed_share)) {
  std::vector<LatentChoice> choices;
  std::vector<std::string> inactive;
  const ChannelDescription& channel = plugin_->description();
  for (std::size_t i = 0; i < channel.latents.size(); ++i) {
    const LatentDescription& latent = channel.latents[i];
    const LatentLayout& layout = plugin_->latent_layouts()[i];
    if (!layout.active) {
      inactive.push_back(latent.id);
      continue;
    }
    choices.push_back(latent_choice(latent, layout.shape));
    indices_.push_back(i);
  }
  specs_ = apply_latent_options(channel.id, std::move(choices), inactive, latent_options);
}

std::string PluginTensorChannel::id() const { return plugin_->description().id; }
std::string PluginTensorChannel::version() const { return plugin_->description().version; }
std::vector<std::int64_t> PluginTensorChannel::signal_shape() const { return plugin_->x_shape(); }
std::vector<std::int64_t> PluginTensorChannel::observation_shape() const { return plugin_->y_shape(); }

Determinism PluginTensorChannel::determinism() const { return determinism_of(plugin_->description().determinism); }

nlohmann::json PluginTensorChannel::configuration() const {
  return {{"id", id()},
          {"version", version()},
          {"kind", "plugin"},
          {"library", plugin_->file().path.filename().string()},
          {"content_sha256", plugin_->file().sha256},
          {"abi", plugin_->file().abi},
          {"parameters", plugin_->parameters()},
          {"canonical", plugin_->canonical()},
          {"latents", latent_record(specs_)}};
}

at::Tensor PluginTensorChannel::rows(const at::Tensor& tensor, std::int64_t count, std::int64_t size, const char* name) const {
  return checked_rows(tensor, at::kFloat, count, size, fmt::format("channel {}: {}", id(), name));
}

PluginTensorChannel::LatentPointers PluginTensorChannel::pointers(const Latents& latents, std::int64_t row_count, bool visible_only) const {
  LatentPointers result;
  result.pointers.assign(plugin_->latent_layouts().size(), nullptr);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    const LatentSpec& spec = specs_[i];
    if (visible_only && !spec.visible) continue;
    const auto found = latents.find(spec.name);
    if (found == latents.end()) {
      check<ShapeError>(visible_only, "channel {}: latent '{}' is missing.", id(), spec.name);
      continue;
    }
    result.kept.push_back(checked_rows(found->second, spec.type, row_count, elements_of(spec.shape),
                                       fmt::format("channel {}: latent '{}'", id(), spec.name)));
    result.pointers[indices_[i]] = result.kept.back().const_data_ptr();
  }
  return result;
}

Latents PluginTensorChannel::draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const {
  const at::Tensor ids = checked_rows(ids_B, at::kLong, -1, 1, fmt::format("channel {}: ids_B", id()));
  const std::int64_t B = ids.numel();
  Latents drawn;
  std::vector<void*> wanted(plugin_->latent_layouts().size(), nullptr);
  for (std::size_t i = 0; i < specs_.size(); ++i) {
    if (specs_[i].source != LatentSource::kFresh) continue;
    std::vector<std::int64_t> shape = {B};
    shape.insert(shape.end(), specs_[i].shape.begin(), specs_[i].shape.end());
    at::Tensor values = at::empty(shape, at::TensorOptions().dtype(specs_[i].type));
    wanted[indices_[i]] = values.mutable_data_ptr();
    drawn.emplace(specs_[i].name, std::move(values));
  }
  if (drawn.empty()) return drawn;
  const at::Tensor x = x_BD.defined() ? rows(x_BD, B, x_size_, "x_BD") : at::Tensor();
  const auto failures = plugin_->draw_latents(key.value(), as_ids(ids), x.defined() ? x.const_data_ptr<float>() : nullptr, wanted);
  failures_->add("draw_latents", B, failures, true);
  return drawn;
}

at::Tensor PluginTensorChannel::simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const {
  const at::Tensor x = rows(x_BD, -1, x_size_, "x_BD");
  const std::int64_t B = x.size(0);
  const at::Tensor ids = checked_rows(ids_B, at::kLong, B, 1, fmt::format("channel {}: ids_B", id()));
  const LatentPointers given = pointers(latents, B, false);
  at::Tensor y_BM = at::empty({B, y_size_}, at::kFloat);
  failures_->add("simulate", B,
                 plugin_->simulate(key.value(), as_ids(ids), x.const_data_ptr<float>(), given.pointers, y_BM.mutable_data_ptr<float>()),
                 true);
  return y_BM;
}

at::Tensor PluginTensorChannel::lift(const at::Tensor& y_BM, const Latents& latents) const {
  const at::Tensor y = rows(y_BM, -1, y_size_, "y_BM");
  if (!plugin_->offers(UNCHANNEL_LIFT_1)) return y;
  const LatentPointers given = pointers(latents, y.size(0), true);
  at::Tensor x_BD = at::empty({y.size(0), x_size_}, at::kFloat);
  failures_->add("lift", y.size(0), plugin_->lift(y.size(0), y.const_data_ptr<float>(), given.pointers, x_BD.mutable_data_ptr<float>()),
                 false);
  return x_BD;
}

bool PluginTensorChannel::has_mean() const { return plugin_->offers(UNCHANNEL_MEAN_1); }

at::Tensor PluginTensorChannel::mean(const at::Tensor& x_BD, const Latents& latents) const {
  const at::Tensor x = rows(x_BD, -1, x_size_, "x_BD");
  const LatentPointers given = pointers(latents, x.size(0), false);
  at::Tensor y_BM = at::empty({x.size(0), y_size_}, at::kFloat);
  failures_->add("mean", x.size(0), plugin_->mean(x.size(0), x.const_data_ptr<float>(), given.pointers, y_BM.mutable_data_ptr<float>()),
                 false);
  return y_BM;
}

bool PluginTensorChannel::has_vjp() const { return plugin_->offers(UNCHANNEL_VJP_1); }

at::Tensor PluginTensorChannel::vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const {
  const at::Tensor x = rows(x_BD, -1, x_size_, "x_BD");
  const at::Tensor v = rows(v_BM, x.size(0), y_size_, "v_BM");
  const LatentPointers given = pointers(latents, x.size(0), false);
  at::Tensor gradient_BD = at::empty({x.size(0), x_size_}, at::kFloat);
  failures_->add(
      "vjp", x.size(0),
      plugin_->vjp(x.size(0), x.const_data_ptr<float>(), given.pointers, v.const_data_ptr<float>(), gradient_BD.mutable_data_ptr<float>()),
      false);
  return gradient_BD;
}

bool PluginTensorChannel::has_loglik() const { return plugin_->offers(UNCHANNEL_LOGLIK_1); }

at::Tensor PluginTensorChannel::loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM,
                                       at::Tensor* gradient_BD) const {
  const at::Tensor x = rows(x_BD, -1, x_size_, "x_BD");
  const at::Tensor y = rows(y_BM, x.size(0), y_size_, "y_BM");
  const LatentPointers given = pointers(latents, x.size(0), false);
  at::Tensor loglik_B = at::empty({x.size(0)}, at::kDouble);
  if (gradient_BD) *gradient_BD = at::empty({x.size(0), x_size_}, at::kFloat);
  failures_->add("loglik", x.size(0),
                 plugin_->loglik(x.size(0), y.const_data_ptr<float>(), x.const_data_ptr<float>(), given.pointers,
                                 loglik_B.mutable_data_ptr<double>(), gradient_BD ? gradient_BD->mutable_data_ptr<float>() : nullptr),
                 false);
  return loglik_B;
}

}  // namespace unchannel
