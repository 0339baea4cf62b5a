#pragma once

namespace unchannel {

/// Installs handlers for SIGINT, SIGTERM and SIGUSR1 (taken for SIGTERM) which only record the signal; work loops poll `stop_requested()`
/// and finish cleanly with a checkpoint. A second SIGINT ends the process at once.
void install_stop_signals();

/// Number of the signal received, 0 when none.
int stop_requested() noexcept;

/// While one lives, calls into plugins are not cancelled by a stop request: a training finishes its short step and writes a
/// checkpoint. A second SIGINT still ends the process at once.
class CancellationDeferral {
 public:
  CancellationDeferral() noexcept;
  ~CancellationDeferral();
  CancellationDeferral(const CancellationDeferral&) = delete;
  CancellationDeferral& operator=(const CancellationDeferral&) = delete;
};

/// Whether work in progress should give up: a stop was requested and nobody defers it.
bool cancellation_requested() noexcept;

/// Forgets a received signal (tests).
void clear_stop_request() noexcept;

}  // namespace unchannel
