#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace unchannel {

/// A command that reads all of `input` on its standard input and is expected to end by itself.
struct FilterRun {
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment;  ///< added to this process's own
  std::string_view input;
  std::string_view attachment;     ///< can be read from descriptor 3
  std::size_t output_limit_bytes;  ///< what writes more is killed
};

/// Runs it in this process's group, so that it ends with this process when that is killed, and returns its standard output. A command that
/// does not read all its input is fine. Throws PluginError with how it ended and the end of its standard error: exit status other
/// than 0, signal, too much output, not startable. There is no time limit here: the host kills the group at its deadline.
std::string run_filter(const FilterRun& run);

}  // namespace unchannel
