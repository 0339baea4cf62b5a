#include "plugin_instance.hpp"

#include <unchannel/random.h>

#include <array>
#include <cstring>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

std::uint64_t purpose_key(std::uint64_t key, std::uint32_t purpose) {
  return unchannel_derive(key, unchannel_tag(UNCHANNEL_TAG_PURPOSE, purpose));
}

/// The extension behind a call; nullptr where the core table has it.
const char* extension_of(CallKind kind) {
  switch (kind) {
    case CallKind::kLift:
      return UNCHANNEL_LIFT_1;
    case CallKind::kMean:
      return UNCHANNEL_MEAN_1;
    case CallKind::kVjp:
      return UNCHANNEL_VJP_1;
    case CallKind::kLoglik:
      return UNCHANNEL_LOGLIK_1;
    default:
      return nullptr;
  }
}

}  // namespace

const char* call_name(CallKind kind) {
  static constexpr std::array kNames = {"draw_latents", "simulate", "lift", "mean", "vjp", "loglik"};
  return kNames[static_cast<std::size_t>(kind)];
}

std::string PluginInstance::place() const { return fmt::format("{}: channel {}: ", file().path.string(), description_.id); }

bool PluginInstance::needs_signal(const BatchCall& call) const {
  if (call.kind != CallKind::kDrawLatents) return call.kind != CallKind::kLift;
  for (std::size_t i = 0; i < call.latents_out.size(); ++i) {
    if (call.latents_out[i] && description_.latents[i].depends_on_signal()) return true;
  }
  return false;
}

// Runs in front of every call: texts are made only when something is wrong.
void PluginInstance::check_call(const BatchCall& call) const {
  const char* function = call_name(call.kind);
  if (!active_.set) throw PluginError(fmt::format("{}{} before configure.", place(), function));
  const bool draws = call.kind == CallKind::kDrawLatents;
  const bool all_active = !draws && call.kind != CallKind::kLift;
  const std::size_t given = draws ? call.latents_out.size() : call.latents.size();
  if (given != active_.latents.size()) {
    throw ShapeError(fmt::format("{}{}: got {} latents, the channel has {}.", place(), function, given, active_.latents.size()));
  }
  for (std::size_t i = 0; i < given; ++i) {
    const bool set = draws ? call.latents_out[i] != nullptr : call.latents[i] != nullptr;
    const bool active = active_.latents[i].active;
    const LatentDescription& latent = description_.latents[i];
    if (set && !active) throw ShapeError(fmt::format("{}{}: this configuration has no latent '{}'.", place(), function, latent.id));
    if (all_active && active && !set) throw ShapeError(fmt::format("{}{}: latent '{}' is missing.", place(), function, latent.id));
    if (draws && set && latent.data_only()) {
      throw ConfigError(fmt::format("{}latent '{}' cannot be drawn; it must come with the observations.", place(), latent.id));
    }
  }
  if (draws && needs_signal(call) && !call.x) {
    throw ShapeError(fmt::format("{}{}: a latent depends on the signal, which is missing.", place(), function));
  }
  const char* extension = extension_of(call.kind);
  if (extension && !offers(extension)) throw ConfigError(fmt::format("{}has no '{}' in this configuration.", place(), extension));
}

PluginSampleFailures PluginInstance::draw_latents(std::uint64_t key, std::span<const std::uint64_t> ids, const float* x,
                                                  OutLatents latents) const {
  BatchCall call{.kind = CallKind::kDrawLatents,
                 .key = purpose_key(key, UNCHANNEL_PURPOSE_LATENTS),
                 .ids = ids,
                 .count = static_cast<std::int64_t>(ids.size()),
                 .x = x,
                 .latents_out = latents};
  check_call(call);
  if (!needs_signal(call)) call.x = nullptr;
  return run(call);
}

PluginSampleFailures PluginInstance::simulate(std::uint64_t key, std::span<const std::uint64_t> ids, const float* x, InLatents latents,
                                              float* y) const {
  const BatchCall call{.kind = CallKind::kSimulate,
                       .key = purpose_key(key, UNCHANNEL_PURPOSE_SIMULATE),
                       .ids = ids,
                       .count = static_cast<std::int64_t>(ids.size()),
                       .x = x,
                       .latents = latents,
                       .result = y};
  check_call(call);
  return run(call);
}

PluginSampleFailures PluginInstance::lift(std::int64_t count, const float* y, InLatents latents, float* x) const {
  if (!offers(UNCHANNEL_LIFT_1)) {
    if (!active_.set) throw PluginError(place() + "lift before configure.");
    std::memcpy(x, y, static_cast<std::size_t>(count * active_.x_size) * sizeof(float));
    return {};
  }
  const BatchCall call{.kind = CallKind::kLift, .count = count, .y = y, .latents = latents, .result = x};
  check_call(call);
  return run(call);
}

PluginSampleFailures PluginInstance::mean(std::int64_t count, const float* x, InLatents latents, float* y) const {
  const BatchCall call{.kind = CallKind::kMean, .count = count, .x = x, .latents = latents, .result = y};
  check_call(call);
  return run(call);
}

PluginSampleFailures PluginInstance::vjp(std::int64_t count, const float* x, InLatents latents, const float* cotangent,
                                         float* gradient) const {
  const BatchCall call{.kind = CallKind::kVjp, .count = count, .x = x, .cotangent = cotangent, .latents = latents, .result = gradient};
  check_call(call);
  return run(call);
}

PluginSampleFailures PluginInstance::loglik(std::int64_t count, const float* y, const float* x, InLatents latents, double* loglik,
                                            float* gradient) const {
  const BatchCall call{.kind = CallKind::kLoglik, .count = count, .x = x, .y = y, .latents = latents, .result = gradient, .loglik = loglik};
  check_call(call);
  return run(call);
}

}  // namespace unchannel
