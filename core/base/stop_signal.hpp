#pragma once

namespace unchannel {

/// Installs handlers for SIGINT and SIGTERM which only record the signal; work loops poll `stop_requested()` and finish
/// cleanly with a checkpoint. A second SIGINT ends the process at once.
void install_stop_signals();

/// Number of the signal received, 0 when none.
int stop_requested() noexcept;

/// Forgets a received signal (tests).
void clear_stop_request() noexcept;

}  // namespace unchannel
