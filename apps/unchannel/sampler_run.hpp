#pragma once

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/posterior/settings.hpp>
#include <unchannel/posterior/trained_sampler.hpp>

#include "run_config.hpp"

namespace unchannel {

/// The configuration of a posterior sampler: that of its run, whose [model], [optimiser] and [run] it takes, and [posterior].
struct SamplerConfig {
  RunConfig run;
  SamplerSettings posterior;

  void visit(SettingsVisitor& visitor);
  /// From the resolved configuration of a run or of a sampler. A relative posterior.signals is relative to the working directory. Throws ConfigError.
  static SamplerConfig read(const std::filesystem::path& path, const std::vector<std::string>& overrides);
  std::string to_toml();
};

/// The posterior sampler of a run: the folder `posterior` in it, with a configuration of its own.
struct SamplerRun {
  SamplerConfig config;
  TrainedSampler trained;
};

/// The provenance of a run or a sampler. Throws DataError when there is none or it is damaged.
nlohmann::json read_provenance(const std::filesystem::path& run);

std::filesystem::path sampler_folder(const std::filesystem::path& run);

/// Whether `run` has a sampler that was begun.
bool holds_sampler(const std::filesystem::path& run);

/// What a sampler of `run` depends on: hash of the run's checkpoint, the channel's configuration.
nlohmann::json sampler_origin(const std::filesystem::path& run, const Channel& channel);

/// Throws ConfigError, with the remedy, when the sampler of `run` was trained for another checkpoint of it or another channel; DataError.
void check_sampler_origin(const std::filesystem::path& run, const Channel& channel);

/// Throws ConfigError when the run has no sampler, and what check_sampler_origin throws.
SamplerRun open_sampler(const std::filesystem::path& run, const Channel& channel);

}  // namespace unchannel
