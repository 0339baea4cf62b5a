#include "step.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <nlohmann/json.hpp>

#include <unchannel/base/json_text.hpp>

namespace unchannel::conformance {
namespace {

std::atomic<const char*> current_step{"the start"};
int answer_descriptor = -1;
unsigned limit_s = 0;
std::atomic<bool> answered{false};

/// No allocation and no lock: the heap may be what is broken.
void write_line(const char* format, const char* step, unsigned number) {
  char line[512];
  const int length = std::snprintf(line, sizeof line, format, step, number);
  if (length > 0) (void)!::write(answer_descriptor, line, static_cast<std::size_t>(length));
}

void report_crash(int signal) {
  write_line("{\"stage\": \"%s\"}\n", current_step, 0);
  ::signal(signal, SIG_DFL);
  ::raise(signal);
}

void report_time(int) {
  write_line("{\"verdict\": \"fail\", \"reason\": \"%s does not return: stopped after %u s.\", \"detail\": {}}\n", current_step, limit_s);
  ::_exit(0);
}

void report_exit() {
  if (!answered) write_line("{\"stage\": \"%s\"}\n", current_step, 0);
}

}  // namespace

void set_step(const char* step) noexcept { current_step = step; }

void set_step(const std::string& step) {
  static std::mutex mutex;
  static std::deque<std::string> kept;
  const std::lock_guard lock(mutex);
  set_step(kept.emplace_back(step).c_str());
}

void open_answer(double time_limit_s) {
  answer_descriptor = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  std::atexit(&report_exit);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT}) {
    struct sigaction action {};
    action.sa_handler = &report_crash;
    action.sa_flags = static_cast<int>(SA_RESETHAND | SA_NODEFER);
    ::sigaction(signal, &action, nullptr);
  }
  ::signal(SIGALRM, &report_time);
  limit_s = static_cast<unsigned>(time_limit_s);
  ::alarm(limit_s);
}

void write_answer(const nlohmann::json& line) {
  // A plugin's texts may be no UTF-8.
  const std::string text = json_text(line) + "\n";
  answered = true;
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(answer_descriptor, text.data() + done, text.size() - done);
    if (wrote <= 0) return;  // the parent is gone
    done += static_cast<std::size_t>(wrote);
  }
}

void report_failure_and_exit(const std::string& text) {
  write_answer(
      {{"verdict", "fail"}, {"reason", std::string(current_step.load()) + " " + text + "."}, {"detail", nlohmann::json::object()}});
  ::_exit(0);
}

}  // namespace unchannel::conformance
