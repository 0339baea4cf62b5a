#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <unchannel/distributed/ranks.hpp>

#include "../run_config.hpp"

namespace unchannel {

/// What `train` does: trains `config` in the folder `run`, or continues the run that is there, with progress on standard error; a finished run
/// is left as it is. `config_name`: where the configuration comes from, for messages. Throws what Trainer throws, ConfigError when a resumed
/// run was started with other settings or the ranks of a job disagree, OutOfMemoryError naming sizes that would fit. With several ranks the first
/// one has the folder and the terminal.
void run_training(RunConfig config, const std::string& config_name, const std::filesystem::path& run, bool resume,
                  const std::vector<std::string>& plugin_folders, Ranks& ranks = single_rank());

/// Sets ATen's threads to run.threads, or to those of the machine.
void use_threads(const RunSettings& settings);

}  // namespace unchannel
