#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "../run_config.hpp"

namespace unchannel {

/// What `train` does: trains `config` in the folder `run`, or continues the run that is there, with progress on standard error.
/// `config_name`: where the configuration comes from, for messages. Defined in train.cpp.
void run_training(RunConfig config, const std::string& config_name, const std::filesystem::path& run, bool resume,
                  const std::vector<std::string>& plugin_folders);

}  // namespace unchannel
