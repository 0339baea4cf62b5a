#include "run_config.hpp"

#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/run/run_folder.hpp>

namespace unchannel {

void RunConfig::visit(SettingsVisitor& visitor) {
  visitor.section({"channel", "The measurement process."}, [this](SettingsVisitor& v) { channel.visit(v); });
  train.visit(visitor);
}

RunConfig RunConfig::read(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const Config file = Config::read(path, overrides);
  RunConfig config;
  config.channel.folder = file.folder();
  file.fill([&](SettingsVisitor& visitor) { config.visit(visitor); });
  for (std::string* name : {&config.train.data.observations, &config.train.data.monitor_observations, &config.train.data.monitor_signals, &config.train.data.monitor_reference,
                            &config.train.start.file}) {
    if (!name->empty() && std::filesystem::path(*name).is_relative()) {
      *name = std::filesystem::absolute(file.folder() / *name).lexically_normal().string();
    }
  }
  try {
    config.train.check_consistency();
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", path.string(), error.what()));
  }
  return config;
}

std::string RunConfig::to_toml() {
  return settings_to_toml([this](SettingsVisitor& visitor) { visit(visitor); });
}

RunConfig read_run_config(const std::filesystem::path& run) {
  const std::filesystem::path path = RunFolder::config_path(run);
  check<ConfigError>(std::filesystem::exists(path), "{}: is no run folder (no config.resolved.toml). Name the folder given to train --run.",
                     run.string());
  return RunConfig::read(path, {});
}

std::unique_ptr<Channel> open_channel(const RunConfig& config, const std::vector<std::string>& plugin_folders,
                                      const std::filesystem::path& data_file) {
  if (!config.channel.signal_shape.empty()) return make_channel(config.channel, plugin_folders, config.channel.signal_shape);
  const DatasetReader reader(data_file);
  const std::vector<std::int64_t> shape(reader.row_shape().begin(), reader.row_shape().end());
  return make_channel(config.channel, plugin_folders, shape);
}

}  // namespace unchannel
