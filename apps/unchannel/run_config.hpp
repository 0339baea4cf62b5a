#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/tensor/channel_factory.hpp>

namespace unchannel {

/// A training configuration: the channel and everything the engine needs.
struct RunConfig {
  ChannelSettings channel;
  TrainSettings train;

  void visit(SettingsVisitor& visitor);
  /// Reads a TOML file; relative data paths become relative to the file's folder. Throws ConfigError.
  static RunConfig read(const std::filesystem::path& path, const std::vector<std::string>& overrides);
  /// The configuration with every default and absolute paths, as TOML.
  std::string to_toml();
};

/// The configuration of an existing run folder.
RunConfig read_run_config(const std::filesystem::path& run);

/// Loads and configures the channel. The signal shape is channel.signal_shape or else the row shape of `data_file`.
std::unique_ptr<Channel> open_channel(const RunConfig& config, const std::vector<std::string>& plugin_folders,
                                      const std::filesystem::path& data_file);

}  // namespace unchannel
