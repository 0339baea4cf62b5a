#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <unchannel/base/config.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/plugin_host/registry.hpp>
#include <vector>

namespace unchannel {

/// "file:line" of what a message about a channel blames; empty where the settings come from no file.
struct ChannelPlaces {
  std::string id, parameters, latents;
};

/// One [[channel.stages]] table: a channel inside `compose`.
struct ChannelStageSettings {
  std::string id;
  nlohmann::json parameters = nlohmann::json::object();
  nlohmann::json latents = nlohmann::json::object();
  ChannelPlaces places{};

  void visit(SettingsVisitor& visitor);
};

/// The [channel] table of a configuration.
struct ChannelSettings {
  std::string id;
  std::vector<std::int64_t> signal_shape;  ///< empty: that of the data's rows
  std::string isolation = "auto";
  double deadline_s = 300;      ///< of a batch in a process of its own
  double memory_limit_gib = 0;  ///< of that process; 0: half of the machine's memory
  std::string failed_samples;   ///< folder, relative to `folder`; empty: in the user's cache
  double max_failed_share = 0.01;
  std::string lift = "own";
  std::int64_t lift_iterations = 10;
  nlohmann::json parameters = nlohmann::json::object();  ///< [channel.parameters], checked against the channel's schema
  nlohmann::json latents = nlohmann::json::object();     ///< [channel.latents.NAME], {visible, source}
  std::vector<ChannelStageSettings> stages;              ///< of `compose`, in the order of the measurement
  std::filesystem::path folder = ".";                    ///< relative paths among the parameters start here
  ChannelPlaces places{};
  std::string signals_from;  ///< data file that gives the signals' shape, for messages

  void visit(SettingsVisitor& visitor);
  /// Notes what messages and relative paths need of `file`, which these settings were read from: its folder and lines.
  void read_places(const Config& file);
  IsolationSettings isolation_settings() const;
};

/// Channels that need no plugin, and their ids.
std::vector<ChannelDescription> built_in_channels();
std::vector<std::string> built_in_ids();

/// Opens the plugin where `isolation` says, configures it for signals of this shape and applies the latent options ({NAME: {visible,
/// source}}). Throws ConfigError, PluginError.
std::unique_ptr<Channel> make_plugin_channel(const PluginRegistry& registry, const std::string& id,
                                             const std::vector<std::int64_t>& signal_shape, const nlohmann::json& parameters,
                                             const nlohmann::json& latent_options = nlohmann::json::object(),
                                             double max_failed_share = 0.01, const std::filesystem::path& folder = ".",
                                             const IsolationSettings& isolation = {});

/// A built-in channel, a plugin, or several of them one after the other, as the settings say. Throws ConfigError, PluginError.
std::unique_ptr<Channel> make_channel(const PluginRegistry& registry, const ChannelSettings& settings,
                                      const std::vector<std::int64_t>& signal_shape);

/// The same with a registry of its own: `plugin_dirs` and the usual folders, as many threads as ATen has.
std::unique_ptr<Channel> make_channel(const ChannelSettings& settings, const std::vector<std::string>& plugin_dirs,
                                      const std::vector<std::int64_t>& signal_shape, LogSink log = {});

}  // namespace unchannel
