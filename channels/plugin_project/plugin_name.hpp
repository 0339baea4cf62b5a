#pragma once

#include <string>

namespace unchannel {

/// Throws ConfigError unless `name` can be a file, a CMake target, a folder and the last part of a channel's id alike: 1 to 40 of
/// a-z, 0-9 and _, a letter first, no name that CMake keeps for itself. The message proposes a name where one can be made of it.
void check_plugin_name(const std::string& name);

}  // namespace unchannel
