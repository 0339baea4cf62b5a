#pragma once

#include <sched.h>

#include <chrono>

namespace unchannel {

/// Waiting for the other side of a conversation. Being put to sleep and woken again costs tens of microseconds, so when answers have been quick a
/// side looks again for a moment before it sleeps; when they have not, it sleeps at once and costs no processor time.
class BriefWait {
 public:
  using Clock = std::chrono::steady_clock;

  void begin() {
    begin_ = Clock::now();
    looking_ = last_ < kQuick;
  }
  /// Whether to look once more without sleeping. Another process that is ready to run gets the processor first.
  bool look_again() {
    looking_ = looking_ && Clock::now() - begin_ < kLongest;
    if (looking_) ::sched_yield();
    return looking_;
  }
  void end() { last_ = Clock::now() - begin_; }

 private:
  static constexpr auto kQuick = std::chrono::microseconds(200), kLongest = std::chrono::microseconds(100);
  Clock::time_point begin_;
  Clock::duration last_ = kQuick;  // the first wait is taken for a long one
  bool looking_ = false;
};

}  // namespace unchannel
