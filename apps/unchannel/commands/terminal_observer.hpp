#pragma once

#include <optional>
#include <string>

#include <fmt/core.h>

#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/scsi/trainer.hpp>

namespace unchannel {

/// Shows a training on standard error, one progress line at a time: a new one begins whenever the phase changes.
class TerminalObserver {
 public:
  /// `shown`: of the first rank; the others say nothing, but may be asked to stop.
  TrainingObserver observer(bool shown = true) {
    TrainingObserver result;
    result.stop_requested = stop_requested;
    if (!shown) return result;
    result.message = [this](const std::string& text) {
      bar_.reset();
      fmt::print(stderr, "{}\n", text);
    };
    result.progress = [this](std::int64_t step, std::int64_t total, const std::string& note) {
      const std::string phase = note == "linear start" ? "start" : note == "verdict" ? "verdict" : "train";
      if (!bar_ || phase != phase_) bar_.emplace(phase, total);
      phase_ = phase;
      bar_->update(step, phase == "verdict" ? "" : note);
      if (step == total) bar_->finish();
    };
    return result;
  }

 private:
  std::optional<Progress> bar_;
  std::string phase_;
};

}  // namespace unchannel
