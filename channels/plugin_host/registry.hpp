#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "discovery.hpp"
#include "host.hpp"
#include "probe.hpp"

namespace unchannel {

struct RegistrySettings {
  std::vector<std::filesystem::path> plugin_dirs{};  ///< --plugin-dir
  bool default_folders = true;                       ///< also environment, user, installed and build folders
  std::uint32_t threads = 0;                         ///< budget of plugins; 0: one for each hardware thread
  ProbeSettings probe{};
  LogSink log{};
  ProgressSink progress{};
};

/// A library or another plugin file that discovery came upon.
struct LibraryRecord {
  ProbeResult probe;
  std::string origin;
  /// Ids of its channels that an earlier library offers already: those are not used from here.
  std::vector<std::string> shadowed;
};

/// All plugins that can be found. Probing happens once, when something is asked for; a registry may be used by several threads.
class PluginRegistry {
 public:
  explicit PluginRegistry(RegistrySettings settings = {});

  const std::vector<PluginFolder>& folders() const;
  /// Every plugin file found, good or not, in order of precedence.
  const std::vector<LibraryRecord>& libraries() const;
  /// Problems with folders, ready to be shown.
  const std::vector<std::string>& problems() const;

  struct Found {
    const LibraryRecord* library;
    const ChannelDescription* channel;
  };
  /// The channel with this id. Throws ConfigError with a suggestion and, since the wanted one may be among them, every library that failed.
  Found find(const std::string& id, const std::vector<std::string>& also_known = {}) const;

  /// Throws PluginError when a library that came with it is another one than when it was probed.
  static void check_unchanged(const ProbeResult& probe);

  const RegistrySettings& settings() const noexcept { return settings_; }
  const std::shared_ptr<ThreadPool>& pool() const noexcept { return pool_; }

 private:
  void scan() const;

  RegistrySettings settings_;
  std::shared_ptr<ThreadPool> pool_;
  mutable std::once_flag scanned_;
  mutable std::vector<PluginFolder> folders_;
  mutable std::vector<LibraryRecord> libraries_;
  mutable std::vector<std::string> problems_;
};

}  // namespace unchannel
