#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace unchannel {

/// Progress line on standard error: label, share done, rate, time left and a free text. On a terminal it is redrawn in place
/// at most five times a second; elsewhere (logs) one line is written every `log_interval_s`.
class Progress {
 public:
  Progress(std::string label, std::int64_t total, double log_interval_s = 30.0);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// `done` items are finished (of `total`); `note` is shown at the end of the line.
  void update(std::int64_t done, std::string_view note = {});
  void finish();

 private:
  using Clock = std::chrono::steady_clock;
  void draw(std::string_view note);

  std::string label_;
  std::int64_t total_;
  std::int64_t first_ = -1;
  std::int64_t done_ = 0;
  bool terminal_;
  bool finished_ = false;
  double interval_s_;
  Clock::time_point start_ = Clock::now();
  Clock::time_point last_{};
  std::string note_;
};

/// "1 h 02 min", "3 min 20 s", "12 s"; "unknown" from 1e9 s on and for NaN.
std::string format_duration(double seconds);

}  // namespace unchannel
