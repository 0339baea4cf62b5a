#include "start_run.hpp"

#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <nlohmann/json.hpp>
#include <numeric>
#include <sstream>
#include <vector>

#include <unchannel/base/error.hpp>
#include <unchannel/run/run_folder.hpp>

namespace unchannel {
namespace {

/// The training settings of a run folder. What its [channel] and [unknown] say is no part of them and may differ.
TrainSettings settings_of(const std::filesystem::path& run) {
  TrainSettings settings;
  nlohmann::json channel, unknown;
  Config::read(RunFolder::config_path(run)).fill([&](SettingsVisitor& visitor) {
    visitor.free_table({"channel", ""}, channel);
    visitor.free_table({"unknown", ""}, unknown);
    settings.visit(visitor);
  });
  return settings;
}

/// "key = value" of every setting that decides what the weights mean. Dropout, precision, device and the range of signals do not.
std::vector<std::string> decisive_lines(TrainSettings settings) {
  settings.model.dropout = ModelSettings{}.dropout;
  settings.model.precision = ModelSettings{}.precision;
  settings.model.device = ModelSettings{}.device;
  settings.model.signal_min = ModelSettings{}.signal_min;
  settings.model.signal_max = ModelSettings{}.signal_max;
  std::istringstream text(settings_to_toml(
      [&](SettingsVisitor& visitor) {
        visitor.section({"model", ""}, [&](SettingsVisitor& v) { settings.model.visit(v); });
        visitor.section({"interpolant", ""}, [&](SettingsVisitor& v) { settings.interpolant.visit(v); });
      },
      /*with_comments=*/false));
  std::vector<std::string> lines;
  std::string section;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('[')) section = line.substr(1, line.size() - 2);
    if (line.find(" = ") != std::string::npos) lines.push_back(fmt::format("{}.{}", section, line));
  }
  return lines;
}

void check_same_model(const TrainSettings& own, const TrainSettings& other, const std::string& run) {
  const std::vector<std::string> here = decisive_lines(own), there = decisive_lines(other);
  for (std::size_t i = 0; i < here.size(); ++i) {
    check<ConfigError>(here[i] == there[i],
                       "start.run {}: was trained with {}, this configuration has {}. Weights can go on only in the same model along the same "
                       "path; take over that run's [model] and [interpolant], or another start.kind.",
                       run, there[i], here[i]);
  }
}

std::vector<std::string> visible_latents_of(const Channel& channel) {
  std::vector<std::string> names;
  for (const LatentSpec& spec : channel.latents()) {
    const auto size = std::accumulate(spec.shape.begin(), spec.shape.end(), std::int64_t{1}, std::multiplies<>());
    if (spec.visible) names.push_back(fmt::format("{}[{}]", spec.name, size));
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::vector<std::string> visible_latents_of(const DriftModel& model) {
  std::vector<std::string> names;
  for (const ConditionEncoder::Entry& entry : model.encoder().entries()) names.push_back(fmt::format("{}[{}]", entry.name, entry.size));
  std::sort(names.begin(), names.end());
  return names;
}

void check_same_data(const DriftModel& model, const Channel& channel, const std::string& run) {
  const std::vector<std::int64_t> given = channel.signal_shape(), learnt = model.signal_shape();
  check<ShapeError>(given == learnt,
                    "start.run {}: was trained on signals of shape [{}]; here they have the shape [{}]. Choose a run on the same grid.", run,
                    fmt::join(learnt, ", "), fmt::join(given, ", "));
  const std::vector<std::string> here = visible_latents_of(channel), there = visible_latents_of(model);
  check<ConfigError>(here == there,
                     "start.run {}: its network sees the latents [{}], here it would see [{}]. Make the same ones visible in [channel.latents].",
                     run, fmt::join(there, ", "), fmt::join(here, ", "));
}

}  // namespace

std::filesystem::path start_checkpoint(const StartSettings& start) {
  check<ConfigError>(std::filesystem::exists(RunFolder::config_path(start.run)),
                     "start.run {}: is no run folder (no config.resolved.toml). Name the folder given to train --run.", start.run);
  std::filesystem::path path = RunFolder::checkpoint_path(start.run);
  check<DataError>(std::filesystem::exists(path), "start.run {}: holds no checkpoint yet; train that run first.", start.run);
  return path;
}

StartRun open_start_run(const TrainSettings& settings, const Channel& channel) {
  start_checkpoint(settings.start);
  const std::string& run = settings.start.run;
  const TrainSettings other = settings_of(run);
  check_same_model(settings, other, run);
  StartRun start{open_trained_model(run, settings.model, settings.interpolant), other.transport.in_restoration()};
  check_same_data(start.trained.model, channel, run);
  return start;
}

}  // namespace unchannel
