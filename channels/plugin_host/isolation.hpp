#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "plugin_instance.hpp"
#include "registry.hpp"

namespace unchannel {

enum class Isolation { kAuto, kProcess, kInproc };

/// Where a plugin runs and what it may use there.
struct IsolationSettings {
  Isolation mode = Isolation::kAuto;
  double deadline_s = 300;                ///< for one batch; then the worker is killed and the batch repeated
  double memory_limit_gib = 0;            ///< private memory of the worker; 0: half of the machine's
  std::int64_t max_failures_in_row = 32;  ///< worker deaths without a finished call in between; then the run stops
  /// Calls that samples made fail are saved here; empty: "failed-samples" in the user's cache folder.
  std::filesystem::path failed_samples{};
};

/// "auto", "process" or "inproc". Throws ConfigError.
Isolation isolation_from_text(const std::string& text);

/// Whether `auto` runs a probed file in the program's own process: only when `unchannel plugins check` has passed this content with these
/// libraries. Bundled plugins need a record like all others.
bool auto_runs_inproc(const ProbeResult& probe);

/// The instance of channel `id` that the settings ask for. Throws ConfigError (unknown id) or PluginError.
std::unique_ptr<PluginInstance> open_plugin(const PluginRegistry& registry, const std::string& id, const IsolationSettings& settings = {});

}  // namespace unchannel
