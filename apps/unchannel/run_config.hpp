#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <unchannel/identification/unknown_settings.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/tensor/channel_factory.hpp>

namespace unchannel {

class DatasetReader;
struct TrainedModel;

/// A training configuration: the channel, what is not known of it, and everything the engine needs.
struct RunConfig {
  ChannelSettings channel;
  UnknownSettings unknown;
  TrainSettings train;

  void visit(SettingsVisitor& visitor);
  /// Reads a TOML file; relative data paths become relative to the file's folder. Throws ConfigError.
  static RunConfig read(const std::filesystem::path& path, const std::vector<std::string>& overrides);
  /// The configuration with every default and absolute paths, as TOML.
  std::string to_toml();
};

/// The configuration of an existing run folder.
RunConfig read_run_config(const std::filesystem::path& run);

/// Loads and configures the channel, with its signal set. The signals' shape is channel.signal_shape or else the row shape of `data_file`.
std::unique_ptr<Channel> open_channel(const RunConfig& config, const std::vector<std::string>& plugin_folders,
                                      const std::filesystem::path& data_file);

/// The same for signals of the row shape of `data`, whatever channel.signal_shape says.
std::unique_ptr<Channel> open_channel(ChannelSettings settings, const std::vector<std::string>& plugin_folders, const DatasetReader& data,
                                      LogSink log = {});

/// Throws ShapeError, naming `data_file` and both shapes, when the channel opened for it has other signals than `run` was trained on.
void check_signal_shape(const Channel& channel, const TrainedModel& trained, const std::string& run, const std::string& data_file);

}  // namespace unchannel
