#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "description.hpp"

namespace unchannel {

/// What a library is, found out in a child process so that a bad one harms nobody.
struct ProbeResult {
  std::filesystem::path file;
  std::string sha256;  ///< of the file; empty when it cannot be read
  bool good = false;
  std::string reason;  ///< why it is not good
  std::string abi;     ///< interface version it was built for, "1.0"
  std::vector<ChannelDescription> channels;
  std::vector<std::string> warnings;  ///< does not stop it from being used, e.g. output printed while loading
  /// Libraries that came with it (its resolved DT_NEEDED files that were not there before) and their SHA-256.
  std::vector<std::pair<std::string, std::string>> needed;
};

struct ProbeSettings {
  std::filesystem::path worker{};  ///< empty: UNCHANNEL_WORKER, else `unchannel-worker` beside this program
  double time_limit_s = 20.0;
};

/// Asks `unchannel-worker --probe` about the file. Results are remembered by path and content, so each file is probed once a process.
/// Everything that is wrong with the file is in `reason`; throws PluginError only when the worker itself is missing.
ProbeResult probe_library(const std::filesystem::path& file, const ProbeSettings& settings = {});

/// Where the worker is. Throws PluginError saying where it was looked for.
std::filesystem::path find_worker(const ProbeSettings& settings);

/// Folder of this program's executable.
std::filesystem::path executable_folder();

}  // namespace unchannel
