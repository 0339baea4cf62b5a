#pragma once

#include <unchannel/channel.h>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "thread_pool.hpp"

namespace unchannel {

/// Receives a plugin's messages: level UNCHANNEL_LOG_*, id of the channel or file of the library, text. Any thread.
using LogSink = std::function<void(std::int32_t level, std::string_view from, std::string_view text)>;
/// Receives reports of slow calls: fraction done in [0, 1] and what is being done. Any thread.
using ProgressSink = std::function<void(double fraction, std::string_view what)>;

struct HostSettings {
  std::string name;                    ///< whom log lines are from
  std::filesystem::path library;       ///< its data folder is looked for beside it
  std::shared_ptr<ThreadPool> pool{};  ///< without one there is no thread_pool/1
  LogSink log{};                       ///< may be empty: messages are dropped
  ProgressSink progress{};             ///< may be empty
};

/// The host as a plugin sees it: error texts and services. Must outlive every instance that got it.
class Host {
 public:
  explicit Host(HostSettings settings);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  const unchannel_host& abi() const noexcept { return abi_; }
  /// Bytes of scratch memory that the plugin holds now.
  std::int64_t scratch_bytes() const noexcept { return scratch_bytes_; }

 private:
  struct Services;
  const char* data_dir();
  const char* cache_dir();

  HostSettings settings_;
  unchannel_host abi_{};
  std::atomic<std::int64_t> scratch_bytes_{0};
  std::once_flag data_dir_once_, cache_dir_once_;
  std::string data_dir_, cache_dir_;
};

/// Text that a plugin gave to set_error on this thread since the last call of this function.
std::string take_plugin_error();

/// "BAD_ARGUMENT"; "status 17" for a number that channel.h does not know.
std::string status_name(std::int32_t status);

/// Throws PluginError "<what> failed with BAD_ARGUMENT: <text of set_error>" unless the status is OK.
void check_status(std::int32_t status, const std::string& what);

}  // namespace unchannel
