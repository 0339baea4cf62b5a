#include "stop_signal.hpp"

#include <atomic>
#include <csignal>

namespace unchannel {
namespace {

// Written in a signal handler and read by any thread: only a lock-free atomic is allowed in both.
std::atomic<int> received_signal{0};
std::atomic<int> deferrals{0};
static_assert(std::atomic<int>::is_always_lock_free);

void record_signal(int signal) {
  if (received_signal != 0 && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  received_signal = signal == SIGUSR1 ? SIGTERM : signal;
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = record_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  sigaction(SIGUSR1, &action, nullptr);  // mpirun passes it on, while it answers SIGTERM and SIGINT by killing its processes
}

int stop_requested() noexcept { return received_signal; }

CancellationDeferral::CancellationDeferral() noexcept { ++deferrals; }
CancellationDeferral::~CancellationDeferral() { --deferrals; }

bool cancellation_requested() noexcept { return received_signal != 0 && deferrals == 0; }

void clear_stop_request() noexcept { received_signal = 0; }

}  // namespace unchannel
