#pragma once

#include <cstdint>
#include <mutex>
#include <span>
#include <string>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/plugin_call.hpp>
#include <vector>

namespace unchannel {

/// Remembers samples that a channel could not do and stops the run when they are too many. Any thread.
class FailureLog {
 public:
  FailureLog(std::string channel, double max_share) : channel_(std::move(channel)), max_share_(max_share) {}

  /// `rows` samples were done by `function`; `ids` is empty where a call has none. Throws PluginError when more than the allowed share of
  /// all samples so far failed; of the first thousand, at least one may.
  void add(const char* function, std::int64_t rows, const PluginSampleFailures& failures, bool has_ids);
  std::vector<FailedSample> take();

 private:
  static constexpr std::size_t kKept = 100000;  // of samples that nobody asks for
  std::string channel_;
  double max_share_;
  std::mutex mutex_;
  std::int64_t rows_ = 0, failed_ = 0;
  std::string first_;
  std::vector<FailedSample> list_;
};

}  // namespace unchannel
