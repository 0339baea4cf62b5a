#include "stop_signal.hpp"

#include <csignal>

namespace unchannel {
namespace {

volatile std::sig_atomic_t received_signal = 0;

void record_signal(int signal) {
  if (received_signal != 0 && signal == SIGINT) {
    std::signal(SIGINT, SIG_DFL);
    std::raise(SIGINT);
  }
  received_signal = signal;
}

}  // namespace

void install_stop_signals() {
  struct sigaction action {};
  action.sa_handler = record_signal;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

int stop_requested() noexcept { return received_signal; }

void clear_stop_request() noexcept { received_signal = 0; }

}  // namespace unchannel
