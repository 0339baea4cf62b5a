#pragma once

#include <unchannel/channel.h>

#include <atomic>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "host.hpp"

namespace unchannel {

/// A plugin that was loaded into this process. Once loaded it stays until the process ends.
class Library {
 public:
  /// Loads `file`, or returns it when it is loaded already. `sha256`: content that a probe has found good; another content is refused.
  /// Throws PluginError: text of dlerror, missing symbol, foreign interface version, disturbed process state.
  static Library& load(const std::filesystem::path& file, const std::string& sha256);

  const std::filesystem::path& file() const noexcept { return file_; }
  const std::string& sha256() const noexcept { return sha256_; }
  const unchannel_module& module() const noexcept { return *module_; }

  /// Index of the channel with this id. Throws PluginError.
  std::uint32_t channel_index(const std::string& id) const;

  /// Calls init before the first user and shutdown after the last.
  void acquire();
  void release();

  /// One call at a time for PROCESS_SERIAL channels.
  std::mutex& call_mutex() noexcept { return call_mutex_; }

  /// After MODULE_BROKEN nothing of the library may be called any more.
  void mark_broken() noexcept { broken_ = true; }
  bool broken() const noexcept { return broken_; }

 private:
  Library(std::filesystem::path file, std::string sha256, const unchannel_module* module);

  std::filesystem::path file_;
  std::string sha256_;
  const unchannel_module* module_;
  Host host_;
  std::mutex users_mutex_;
  int users_ = 0;
  std::mutex call_mutex_;
  std::atomic<bool> broken_{false};
};

/// Maps `file` (all symbols resolved now, none given to others) and returns its module table, of any interface version. The library is
/// never unloaded. `before` is told each step. Throws PluginError with the reason alone, without the file's name.
const unchannel_module& open_module(const std::filesystem::path& file, const std::function<void(const std::string&)>& before);

/// Files of the shared libraries that are mapped into this process now.
std::vector<std::string> mapped_libraries();

}  // namespace unchannel
