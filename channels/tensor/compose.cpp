#include "compose.hpp"

#include <fmt/format.h>
#include <unchannel/random.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>

#include "describe.hpp"

namespace unchannel {
namespace {

std::string prefix(std::size_t stage) { return fmt::format("stage{}_", stage); }

RandomKey stage_key(RandomKey key, std::size_t stage) {
  return RandomKey(unchannel_derive(key.value(), unchannel_tag(UNCHANNEL_TAG_COMPOSE_STAGE, stage)));
}

bool draws_from_signal(const Channel& channel) {
  return std::any_of(channel.latents().begin(), channel.latents().end(),
                     [](const LatentSpec& spec) { return spec.depends_on_signal && spec.source == LatentSource::kFresh; });
}

bool takes_from_data(const Channel& channel) {
  return std::any_of(channel.latents().begin(), channel.latents().end(),
                     [](const LatentSpec& spec) { return spec.source != LatentSource::kFresh; });
}

}  // namespace

Compose::Compose(std::vector<std::unique_ptr<Channel>> stages) : stages_(std::move(stages)) {
  check<ConfigError>(!stages_.empty(), "channel compose: has no stages; write at least one [[channel.stages]].");
  bool early_data = false;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (draws_from_signal(*stages_[i]) && i > 0) {
      check<ConfigError>(
          !early_data,
          "channel compose: stage {} ({}) draws a latent that depends on its signal, but an earlier stage takes latents from "
          "the data. Give those the source 'fresh', or this one 'own' or 'data'.",
          i, stages_[i]->id());
      signals_needed_ = i;
    }
    early_data = early_data || takes_from_data(*stages_[i]);
    for (LatentSpec spec : stages_[i]->latents()) {
      spec.name = prefix(i) + spec.name;
      specs_.push_back(std::move(spec));
    }
  }
}

std::string Compose::version() const { return describe_compose().version; }

Determinism Compose::determinism() const {
  Determinism weakest = Determinism::kPerSample;
  for (const auto& stage : stages_) weakest = std::max(weakest, stage->determinism());
  return weakest;
}

nlohmann::json Compose::configuration() const {
  nlohmann::json stages = nlohmann::json::array();
  for (const auto& stage : stages_) stages.push_back(stage->configuration());
  return {{"id", id()}, {"version", version()}, {"kind", "built-in"}, {"stages", stages}};
}

Latents Compose::of_stage(std::size_t stage, const Latents& latents) const {
  Latents own;
  for (const LatentSpec& spec : stages_[stage]->latents()) {
    const auto found = latents.find(prefix(stage) + spec.name);
    if (found != latents.end()) own.emplace(spec.name, found->second);
  }
  return own;
}

Latents Compose::draw_latents(RandomKey key, const at::Tensor& ids_B, const at::Tensor& x_BD) const {
  Latents drawn;
  at::Tensor signal = x_BD;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const RandomKey own_key = stage_key(key, i);
    const Latents own = stages_[i]->draw_latents(own_key, ids_B, draws_from_signal(*stages_[i]) ? signal : at::Tensor());
    // The same key as in simulate: the later stage sees the very signal that it will measure.
    if (i < signals_needed_) signal = stages_[i]->simulate(signal, own, own_key, ids_B);
    for (const auto& [name, values] : own) drawn.emplace(prefix(i) + name, values);
  }
  return drawn;
}

at::Tensor Compose::simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const {
  at::Tensor signal = x_BD;
  for (std::size_t i = 0; i < stages_.size(); ++i) signal = stages_[i]->simulate(signal, of_stage(i, latents), stage_key(key, i), ids_B);
  return signal;
}

at::Tensor Compose::lift(const at::Tensor& y_BM, const Latents& latents) const {
  at::Tensor lifted = y_BM;
  for (std::size_t i = stages_.size(); i-- > 0;) lifted = stages_[i]->lift(lifted, of_stage(i, latents));
  return lifted;
}

bool Compose::noise_free() const {
  return std::all_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->noise_free(); });
}

bool Compose::has_mean() const {
  return stages_.back()->has_mean() &&
         std::all_of(stages_.begin(), stages_.end() - 1, [](const auto& stage) { return stage->noise_free() && stage->has_mean(); });
}

bool Compose::has_vjp() const {
  return has_mean() && std::all_of(stages_.begin(), stages_.end(), [](const auto& stage) { return stage->has_vjp(); });
}

bool Compose::has_loglik() const {
  return stages_.back()->has_loglik() && std::all_of(stages_.begin(), stages_.end() - 1, [](const auto& stage) {
           return stage->noise_free() && stage->has_mean() && stage->has_vjp();
         });
}

std::vector<at::Tensor> Compose::noise_free_inputs(const at::Tensor& x_BD, const Latents& latents) const {
  std::vector<at::Tensor> inputs = {x_BD};
  for (std::size_t i = 0; i + 1 < stages_.size(); ++i) inputs.push_back(stages_[i]->mean(inputs.back(), of_stage(i, latents)));
  return inputs;
}

at::Tensor Compose::back_from(std::size_t stage, const std::vector<at::Tensor>& inputs, const Latents& latents, at::Tensor v) const {
  for (std::size_t i = stage; i-- > 0;) v = stages_[i]->vjp(inputs[i], of_stage(i, latents), v);
  return v;
}

at::Tensor Compose::mean(const at::Tensor& x_BD, const Latents& latents) const {
  if (!has_mean()) return Channel::mean(x_BD, latents);
  return stages_.back()->mean(noise_free_inputs(x_BD, latents).back(), of_stage(stages_.size() - 1, latents));
}

at::Tensor Compose::vjp(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& v_BM) const {
  if (!has_vjp()) return Channel::vjp(x_BD, latents, v_BM);
  return back_from(stages_.size(), noise_free_inputs(x_BD, latents), latents, v_BM);
}

at::Tensor Compose::loglik(const at::Tensor& x_BD, const Latents& latents, const at::Tensor& y_BM, at::Tensor* gradient_BD) const {
  if (!has_loglik()) return Channel::loglik(x_BD, latents, y_BM, gradient_BD);
  const std::size_t last = stages_.size() - 1;
  const std::vector<at::Tensor> inputs = noise_free_inputs(x_BD, latents);
  at::Tensor loglik_B = stages_[last]->loglik(inputs.back(), of_stage(last, latents), y_BM, gradient_BD);
  if (gradient_BD) *gradient_BD = back_from(last, inputs, latents, *gradient_BD);
  return loglik_B;
}

std::vector<FailedSample> Compose::take_failed_samples() const {
  std::vector<FailedSample> all;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    for (FailedSample& sample : stages_[i]->take_failed_samples()) {
      sample.function = fmt::format("stage {} ({}) {}", i, stages_[i]->id(), sample.function);
      all.push_back(std::move(sample));
    }
  }
  return all;
}

ChannelDescription describe_compose() {
  ChannelDescription channel = describe_built_in(
      "compose", "Channels one after the other",
      "Each [[channel.stages]] has an id (built in or of a plugin) and, like [channel], tables parameters and latents. Latents are called "
      "stage0_NAME, stage1_NAME, ... in data files. Determinism and capabilities follow from the stages: mean, vjp and loglik exist where "
      "every "
      "stage before the last is noise-free and has them.");
  channel.capabilities = {UNCHANNEL_LIFT_1, UNCHANNEL_MEAN_1, UNCHANNEL_VJP_1, UNCHANNEL_LOGLIK_1};
  return channel;
}

}  // namespace unchannel
