#include "unknown_parameter.hpp"

#include <algorithm>

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/parameters.hpp>

namespace unchannel {
namespace {

/// Id and parameters of the channel that has the unknown one.
struct Owner {
  const std::string& id;
  nlohmann::json& parameters;
};

Owner owner_of(RunConfig& config) {
  const std::int64_t stage = config.unknown.stage, stages = static_cast<std::int64_t>(config.channel.stages.size());
  check<ConfigError>(stage < stages, "unknown.stage = {}: channel {} has {} stages, numbered from 0.", stage, config.channel.id, stages);
  check<ConfigError>(stage >= 0 || config.channel.id != "compose",
                     "unknown.stage is missing: channel compose has no parameters of its own. Say which of its {} stages has {}, from 0.",
                     stages, config.unknown.parameter);
  if (stage < 0) return {config.channel.id, config.channel.parameters};
  ChannelStageSettings& own = config.channel.stages[static_cast<std::size_t>(stage)];
  return {own.id, own.parameters};
}

ChannelDescription description_of(const std::string& id, const std::vector<std::string>& plugin_folders) {
  for (const ChannelDescription& channel : built_in_channels()) {
    if (channel.id == id) return channel;
  }
  RegistrySettings registry;
  registry.plugin_dirs.assign(plugin_folders.begin(), plugin_folders.end());
  return *PluginRegistry(std::move(registry)).find(id, built_in_ids()).channel;
}

/// The numbers of a channel that may be unknown.
std::vector<std::string> candidates(const ChannelDescription& channel) {
  std::vector<std::string> names;
  for (const ParameterDescription& parameter : channel.parameters) {
    if (parameter.type == UNCHANNEL_TYPE_F64 && (parameter.flags & UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN) != 0) names.push_back(parameter.id);
  }
  return names;
}

}  // namespace

void check_unknown_parameter(const RunConfig& config, const std::vector<std::string>& plugin_folders) {
  const UnknownSettings& unknown = config.unknown;
  check<ConfigError>(unknown.declared(), "unknown.parameter is missing; name the parameter of the channel that is not known.");
  RunConfig copy = config;
  const Owner owner = owner_of(copy);
  const ChannelDescription channel = description_of(owner.id, plugin_folders);
  const std::vector<std::string> names = candidates(channel);
  if (std::ranges::find(names, unknown.parameter) == names.end()) {
    std::string list;
    for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
    throw ConfigError(fmt::format("unknown.parameter = \"{}\": is no parameter of channel {} that may be unknown.{} These may: {}.",
                                  unknown.parameter, owner.id, did_you_mean(unknown.parameter, names), list.empty() ? "none" : list));
  }
  for (const auto& [key, value] : {std::pair{"low", unknown.low}, std::pair{"high", unknown.high}}) {
    nlohmann::json given = owner.parameters;
    given[unknown.parameter] = value;
    try {
      resolve_parameters(owner.id, channel.parameters, given, config.channel.folder);
    } catch (const ConfigError& error) {
      throw ConfigError(fmt::format("unknown.{}: {}", key, error.what()));
    }
  }
}

void set_unknown_parameter(RunConfig& config, double value) { owner_of(config).parameters[config.unknown.parameter] = value; }

}  // namespace unchannel
