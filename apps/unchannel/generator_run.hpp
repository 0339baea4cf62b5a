#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include <unchannel/scsi/trained_model.hpp>

#include "run_config.hpp"

namespace unchannel {

/// A finished run of the channel `noise`: its transport carries standard normal noise to new signals.
struct GeneratorRun {
  std::filesystem::path path;
  RunConfig config;
  TrainedModel trained;

  std::int64_t levels() const { return config.train.interpolant.time_levels; }
  /// "run PATH at step N", for origin attributes.
  std::string name() const;
};

/// `run` itself, or the run in its folder `generator`. Throws ConfigError, with the commands that train one, where neither is a generator.
GeneratorRun open_generator(const std::filesystem::path& run);

/// Whether a configuration trains a generator on given signals. Throws ConfigError naming `file` and the first key that says otherwise.
void check_generator_config(const RunConfig& config, const std::string& file);

/// The steps of a sampler on a grid of `levels` times: those asked for, or for 0 the largest number up to 256 that fits. `times_a_step`:
/// times that one step needs (2 for midpoint). Throws ConfigError when the number does not fit.
std::int64_t sampling_steps(std::int64_t requested, std::int64_t levels, std::int64_t times_a_step);


}  // namespace unchannel
