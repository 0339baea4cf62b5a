#pragma once

#include <chrono>

namespace unchannel {

/// Wall time since it was made, on top of what an interrupted run had taken before.
class Stopwatch {
 public:
  explicit Stopwatch(double before_s = 0.0) : before_s_(before_s) {}

  double elapsed_s() const { return before_s_ + std::chrono::duration<double>(Clock::now() - started_).count(); }

 private:
  using Clock = std::chrono::steady_clock;

  double before_s_;
  Clock::time_point started_ = Clock::now();
};

}  // namespace unchannel
