#include "description.hpp"

#include <array>
#include <cmath>
#include <set>
#include <unchannel/base/error.hpp>

#include "host.hpp"

namespace unchannel {
namespace {

std::string text_of(const char* text) { return text ? text : ""; }

/// An id becomes a key in TOML files and the name of a data set: keep it to what needs no quoting.
bool is_identifier(const std::string& id) {
  return !id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == std::string::npos;
}

void check_numeric_default(const ParameterDescription& parameter, const unchannel_parameter& raw) {
  bool fits = true;
  if (parameter.type == UNCHANNEL_TYPE_F64) {
    fits = raw.min_f64 <= raw.max_f64 && (parameter.required() || (raw.default_f64 >= raw.min_f64 && raw.default_f64 <= raw.max_f64));
  } else if (parameter.type == UNCHANNEL_TYPE_I64) {
    fits = raw.min_i64 <= raw.max_i64 && (parameter.required() || (raw.default_i64 >= raw.min_i64 && raw.default_i64 <= raw.max_i64));
  }
  check<PluginError>(fits, "the schema is wrong: the default of parameter '{}' lies outside its own range.", parameter.id);
}

ParameterDescription read_parameter(const unchannel_parameter& raw) {
  ParameterDescription parameter;
  parameter.id = text_of(raw.id);
  parameter.unit = text_of(raw.unit);
  parameter.doc = text_of(raw.doc);
  parameter.type = raw.type;
  parameter.flags = raw.flags;
  parameter.min_f64 = raw.min_f64;
  parameter.max_f64 = raw.max_f64;
  parameter.min_i64 = raw.min_i64;
  parameter.max_i64 = raw.max_i64;
  check<PluginError>(is_identifier(parameter.id), "the schema is wrong: '{}' cannot be the id of a parameter.", parameter.id);
  check<PluginError>(raw.type >= UNCHANNEL_TYPE_F64 && raw.type <= UNCHANNEL_TYPE_PATH, "the schema is wrong: parameter '{}' has type {}.",
                     parameter.id, raw.type);
  check_numeric_default(parameter, raw);
  check<PluginError>(raw.choice_count == 0 || raw.choices != nullptr, "the schema is wrong: the choices of '{}' are missing.",
                     parameter.id);
  for (std::uint32_t i = 0; i < raw.choice_count; ++i) parameter.choices.push_back(text_of(raw.choices[i]));
  check<PluginError>(raw.type != UNCHANNEL_TYPE_ENUM || !parameter.choices.empty(), "the schema is wrong: '{}' has no choices.",
                     parameter.id);
  if (parameter.required()) return parameter;
  switch (raw.type) {
    case UNCHANNEL_TYPE_F64:
      parameter.default_value = raw.default_f64;
      break;
    case UNCHANNEL_TYPE_I64:
      parameter.default_value = raw.default_i64;
      break;
    case UNCHANNEL_TYPE_BOOL:
      parameter.default_value = raw.default_i64 != 0;
      break;
    default:
      parameter.default_value = text_of(raw.default_text);
  }
  return parameter;
}

LatentDescription read_latent(const unchannel_latent& raw) {
  LatentDescription latent;
  latent.id = text_of(raw.id);
  latent.unit = text_of(raw.unit);
  latent.doc = text_of(raw.doc);
  latent.prior = text_of(raw.prior);
  latent.count_of = text_of(raw.count_of);
  latent.dtype = raw.dtype;
  latent.flags = raw.flags;
  check<PluginError>(is_identifier(latent.id), "the schema is wrong: '{}' cannot be the id of a latent.", latent.id);
  check<PluginError>(raw.dtype >= UNCHANNEL_LATENT_F32 && raw.dtype <= UNCHANNEL_LATENT_I64,
                     "the schema is wrong: latent '{}' has type {}.", latent.id, raw.dtype);
  return latent;
}

}  // namespace

void check_abi_version(const unchannel_module& module) {
  // Within one major version everything newer is reached by extension ids and struct sizes, so any minor is welcome.
  if (module.abi_major == UNCHANNEL_ABI_MAJOR) return;
  throw PluginError(fmt::format("was built for plugin interface {}.{}; this program knows {}.{}. {}", module.abi_major, module.abi_minor,
                                UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR,
                                module.abi_major > UNCHANNEL_ABI_MAJOR ? "Update unchannel, or get the plugin for this interface."
                                                                       : "Build the plugin again with the current channel.h."));
}

ChannelDescription read_descriptor(const unchannel_module& module, std::uint32_t index) {
  const unchannel_descriptor* raw = module.channel_descriptor(index);
  check<PluginError>(raw != nullptr, "channel {} has no descriptor.", index);
  ChannelDescription channel;
  channel.id = text_of(raw->id);
  channel.name = text_of(raw->name);
  channel.version = text_of(raw->version);
  channel.vendor = text_of(raw->vendor);
  channel.url = text_of(raw->url);
  channel.licence = text_of(raw->licence);
  channel.description = text_of(raw->description);
  channel.determinism = raw->determinism;
  channel.thread_class = raw->thread_class;
  check<PluginError>(is_identifier(channel.id), "channel {}: '{}' cannot be an id (letters, digits, '.', '_' and '-').", index, channel.id);
  check<PluginError>(!channel.version.empty(), "channel {}: the descriptor has no version.", channel.id);
  check<PluginError>(raw->determinism >= UNCHANNEL_DETERMINISM_NONE && raw->determinism <= UNCHANNEL_DETERMINISM_PER_SAMPLE,
                     "channel {}: determinism {} is unknown.", channel.id, raw->determinism);
  check<PluginError>(raw->thread_class >= UNCHANNEL_THREADS_PROCESS_SERIAL && raw->thread_class <= UNCHANNEL_THREADS_REENTRANT,
                     "channel {}: thread class {} is unknown.", channel.id, raw->thread_class);
  return channel;
}

const unchannel_core_1& core_table(const unchannel_module& module, std::uint32_t index) {
  const auto* core = static_cast<const unchannel_core_1*>(module.get_table(index, UNCHANNEL_CORE_1));
  check<PluginError>(core != nullptr, "channel {} has no table '{}'.", index, UNCHANNEL_CORE_1);
  check<PluginError>(core->create && core->destroy && core->parameter_count && core->parameter && core->latent_count && core->latent &&
                         core->configure && core->draw_latents && core->simulate && core->get_extension,
                     "the table '{}' of channel {} has empty entries.", UNCHANNEL_CORE_1, index);
  return *core;
}

std::vector<ParameterDescription> read_parameters(const unchannel_core_1& core, void* instance) {
  std::vector<ParameterDescription> parameters;
  std::set<std::string> seen;
  const std::uint32_t count = core.parameter_count(instance);
  for (std::uint32_t i = 0; i < count; ++i) {
    const unchannel_parameter* raw = core.parameter(instance, i);
    check<PluginError>(raw != nullptr, "the schema is wrong: parameter {} of {} is missing.", i, count);
    parameters.push_back(read_parameter(*raw));
    check<PluginError>(seen.insert(parameters.back().id).second, "the schema is wrong: parameter '{}' is declared twice.",
                       parameters.back().id);
  }
  return parameters;
}

std::vector<LatentDescription> read_latents(const unchannel_core_1& core, void* instance) {
  std::vector<LatentDescription> latents;
  std::set<std::string> seen;
  const std::uint32_t count = core.latent_count(instance);
  for (std::uint32_t i = 0; i < count; ++i) {
    const unchannel_latent* raw = core.latent(instance, i);
    check<PluginError>(raw != nullptr, "the schema is wrong: latent {} of {} is missing.", i, count);
    latents.push_back(read_latent(*raw));
    check<PluginError>(seen.insert(latents.back().id).second, "the schema is wrong: latent '{}' is declared twice.", latents.back().id);
  }
  return latents;
}

std::vector<ChannelDescription> describe_module(const unchannel_module& module, const unchannel_host& host,
                                                const std::function<void(const std::string&)>& before) {
  static constexpr std::array kExtensions = {UNCHANNEL_LIFT_1,    UNCHANNEL_MEAN_1,   UNCHANNEL_VJP_1,  UNCHANNEL_JVP_1,
                                             UNCHANNEL_ADJOINT_1, UNCHANNEL_LOGLIK_1, UNCHANNEL_CUDA_1, UNCHANNEL_THREADS_1};
  check_abi_version(module);
  check<PluginError>(module.init && module.shutdown && module.channel_count && module.channel_descriptor && module.get_table,
                     "the module table has empty entries.");
  before("channel_descriptor");
  std::vector<ChannelDescription> channels;
  const std::uint32_t count = module.channel_count();
  check<PluginError>(count > 0, "the library holds no channel.");
  for (std::uint32_t i = 0; i < count; ++i) channels.push_back(read_descriptor(module, i));

  before("init");
  check_status(module.init(&host), "init");
  for (std::uint32_t i = 0; i < count; ++i) {
    ChannelDescription& channel = channels[i];
    const unchannel_core_1& core = core_table(module, i);
    void* instance = nullptr;
    before("create of channel " + channel.id);
    check_status(core.create(&host, &instance), "create of channel " + channel.id);
    before("the schema of channel " + channel.id);
    channel.parameters = read_parameters(core, instance);
    channel.latents = read_latents(core, instance);
    for (const char* id : kExtensions) {
      if (core.get_extension(instance, id)) channel.capabilities.emplace_back(id);
    }
    before("destroy of channel " + channel.id);
    core.destroy(instance);
  }
  before("shutdown");
  module.shutdown();
  return channels;
}

}  // namespace unchannel
