#include "run_config.hpp"

#include <fmt/ranges.h>

#include <cmath>

#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/identification/signal_set.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/trained_model.hpp>

namespace unchannel {

void RunConfig::visit(SettingsVisitor& visitor) {
  visitor.section({"channel", "The measurement process."}, [this](SettingsVisitor& v) { channel.visit(v); });
  visitor.section({"unknown", "A parameter of the channel that is not known."}, [this](SettingsVisitor& v) { unknown.visit(v); });
  train.visit(visitor);
}

namespace {

/// interpolant.noise_sigma declares what the channel does; where the channel says it too, both must agree.
void check_declared_noise(const RunConfig& config) {
  const double declared = config.train.interpolant.noise_sigma;
  const nlohmann::json& parameters = config.channel.parameters;
  if (declared == 0.0 || config.channel.id != "awgn" || !parameters.contains("sigma") || !parameters["sigma"].is_number()) return;
  check<ConfigError>(parameters["sigma"].get<double>() == declared,
                     "interpolant.noise_sigma = {:g}: channel awgn has sigma = {:g}; both must be the channel's noise.", declared,
                     parameters["sigma"].get<double>());
}

/// Messages name the line of [unknown].
void check_unknown(const RunConfig& config, const Config& file) {
  try {
    const ModelSettings& model = config.train.model;
    config.unknown.check_consistency(std::isfinite(model.signal_min) || std::isfinite(model.signal_max));
    check<ConfigError>(!config.unknown.declared() || config.train.interpolant.noise_sigma == 0.0,
                       "unknown.parameter = \"{}\": interpolant.noise_sigma = {:g} tells the interpolant a noise that is not known. Remove it.",
                       config.unknown.parameter, config.train.interpolant.noise_sigma);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", file.place_of("unknown"), error.what()));
  }
}

}  // namespace

RunConfig RunConfig::read(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  const Config file = Config::read(path, overrides);
  RunConfig config;
  file.fill([&](SettingsVisitor& visitor) { config.visit(visitor); });
  config.channel.read_places(file);
  DataSettings& data = config.train.data;
  for (std::string* name : {&data.observations, &data.signals, &data.clean_signals, &data.monitor_observations, &data.monitor_signals,
                            &data.monitor_reference, &config.train.start.file, &config.train.start.run, &config.unknown.calibration_signals,
                            &config.unknown.calibration_observations}) {
    if (!name->empty() && std::filesystem::path(*name).is_relative()) {
      *name = std::filesystem::absolute(file.folder() / *name).lexically_normal().string();
    }
  }
  try {
    config.train.check_consistency();
    check_declared_noise(config);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", path.string(), error.what()));
  }
  check_unknown(config, file);
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
  std::unique_ptr<Channel> channel = config.channel.signal_shape.empty()
                                         ? open_channel(config.channel, plugin_folders, DatasetReader(data_file))
                                         : make_channel(config.channel, plugin_folders, config.channel.signal_shape);
  return identification::with_signal_set(std::move(channel), config.unknown, config.train.model);
}

std::unique_ptr<Channel> open_channel(ChannelSettings settings, const std::vector<std::string>& plugin_folders, const DatasetReader& data,
                                      LogSink log) {
  settings.signals_from = data.path().string();
  const std::vector<std::int64_t> shape(data.row_shape().begin(), data.row_shape().end());
  return make_channel(settings, plugin_folders, shape, std::move(log));
}

void check_signal_shape(const Channel& channel, const TrainedModel& trained, const std::string& run, const std::string& data_file) {
  const std::vector<std::int64_t> given = channel.signal_shape(), learnt = trained.model.signal_shape();
  check<ShapeError>(given == learnt,
                    "{}: its signals have the shape [{}], but run {} was trained on signals of shape [{}]. Give data on the grid that the "
                    "run was trained on, or a run that was trained on this one.",
                    data_file, fmt::join(given, ", "), run, fmt::join(learnt, ", "));
}

}  // namespace unchannel
