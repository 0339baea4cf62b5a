#pragma once

#include <string>
#include <vector>

#include "run_config.hpp"

namespace unchannel {

/// Throws ConfigError unless [unknown] names a number of the channel that may be unknown, and its prior lies in the channel's range.
void check_unknown_parameter(const RunConfig& config, const std::vector<std::string>& plugin_folders);

/// Writes `value` into the parameters of the channel, or of the stage that has it.
void set_unknown_parameter(RunConfig& config, double value);

}  // namespace unchannel
