#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "run_config.hpp"

namespace unchannel {

/// Trains `config` in the folder `run` with a progress bar on standard error, from the start or (`resume`) from the last checkpoint; a
/// finished run is left as it is. Throws what Trainer throws, ConfigError when a resumed run was started with other settings, OutOfMemoryError naming the batch that would fit.
void train_run(RunConfig config, const std::filesystem::path& run, const std::vector<std::string>& plugin_folders, bool resume);

/// Sets ATen's threads to run.threads, or to those of the machine.
void use_threads(const RunSettings& settings);

}  // namespace unchannel
