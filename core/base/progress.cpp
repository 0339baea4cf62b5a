#include "progress.hpp"

#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace unchannel {

std::string format_duration(double seconds) {
  if (!(seconds < 1e9)) return "unknown";  // thirty years, infinity or no number
  const auto total = static_cast<std::int64_t>(std::llround(std::max(0.0, seconds)));
  if (total >= 3600) return fmt::format("{} h {:02} min", total / 3600, total % 3600 / 60);
  if (total >= 60) return fmt::format("{} min {:02} s", total / 60, total % 60);
  return fmt::format("{} s", total);
}

Progress::Progress(std::string label, std::int64_t total, double log_interval_s)
    : label_(std::move(label)), total_(total), terminal_(::isatty(STDERR_FILENO) == 1), interval_s_(terminal_ ? 0.2 : log_interval_s) {}

Progress::~Progress() {
  if (!finished_ && terminal_ && last_ != Clock::time_point{}) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, std::string_view note) {
  if (first_ < 0) first_ = done;
  done_ = done;
  note_ = note;
  const auto now = Clock::now();
  // The first line comes at once: the clock may have started (at boot) less than one interval ago.
  if (last_ != Clock::time_point{} && std::chrono::duration<double>(now - last_).count() < interval_s_) return;
  last_ = now;
  draw(note);
}

void Progress::finish() {
  if (finished_) return;
  finished_ = true;
  draw(note_);
  if (terminal_) std::fputc('\n', stderr);
}

void Progress::draw(std::string_view note) {
  const double elapsed_s = std::chrono::duration<double>(Clock::now() - start_).count();
  const double share = total_ > 0 ? static_cast<double>(done_) / static_cast<double>(total_) : 1.0;
  const double rate = elapsed_s > 0 ? static_cast<double>(done_ - std::max<std::int64_t>(first_, 0)) / elapsed_s : 0.0;
  // Before the second update nothing is known about the rate.
  const std::string speed =
      rate > 0 ? fmt::format(" {:.1f}/s, {} left", rate, format_duration(static_cast<double>(total_ - done_) / rate)) : std::string();
  const std::string line = finished_ ? fmt::format("{} {}/{} in {} {}", label_, done_, total_, format_duration(elapsed_s), note)
                                     : fmt::format("{} {:3.0f} % {}/{}{} {}", label_, 100.0 * share, done_, total_, speed, note);
  if (terminal_) {
    fmt::print(stderr, "\r\033[K{}", line);
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
}

}  // namespace unchannel
