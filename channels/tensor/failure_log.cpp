#include "failure_log.hpp"

#include <algorithm>
#include <unchannel/base/error.hpp>

namespace unchannel {

void FailureLog::add(const char* function, std::int64_t rows, const PluginSampleFailures& failures, bool has_ids) {
  const std::lock_guard lock(mutex_);
  rows_ += rows;
  failed_ += static_cast<std::int64_t>(failures.size());
  for (const PluginSampleFailure& failure : failures) {
    const std::int64_t id = has_ids ? static_cast<std::int64_t>(failure.id) : -1;
    const std::string reason = sample_status_text(failure.status);
    if (first_.empty()) first_ = fmt::format("{}, {} {}: {}", function, has_ids ? "sample" : "row", has_ids ? id : failure.index, reason);
    if (list_.size() < kKept) list_.push_back({failure.index, id, function, reason});
  }
  constexpr std::int64_t kAtLeast = 1000;
  const double limit = std::max(1.0, max_share_ * static_cast<double>(std::max(rows_, kAtLeast)));
  check<PluginError>(failures.empty() || static_cast<double>(failed_) <= limit,
                     "channel {}: {} of {} samples failed, more than the share {} that channel.max_failed_share allows. The first: {}.",
                     channel_, failed_, rows_, max_share_, first_);
}

std::vector<FailedSample> FailureLog::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(list_, {});
}

}  // namespace unchannel
