// fp-environment: what a plugin must leave as it found it.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <unchannel/plugin_host/process_state.hpp>

#include "checks.hpp"
#include "samples.hpp"

extern char** environ;

namespace unchannel::conformance {
namespace {

/// Standard output and error of the process, sent to memory while it lives.
class CapturedOutput {
 public:
  CapturedOutput() : memory_(::memfd_create("output", MFD_CLOEXEC)) {
    check<Error>(memory_ >= 0, "no memory file for the plugin's output.");
    std::fflush(nullptr);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      saved_[stream - 1] = ::dup(stream);
      ::dup2(memory_, stream);
    }
  }
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;
  ~CapturedOutput() {
    std::fflush(nullptr);
    for (const int stream : {STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(saved_[stream - 1], stream);
      ::close(saved_[stream - 1]);
    }
    ::close(memory_);
  }
  /// What was printed so far, at most its first 200 bytes.
  std::string text() const {
    std::fflush(nullptr);
    std::string bytes(200, '\0');
    const ssize_t got = ::pread(memory_, bytes.data(), bytes.size(), 0);
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return bytes;
  }

 private:
  int memory_;
  int saved_[2] = {-1, -1};
};

std::vector<std::string> environment() {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  return variables;
}

class Watch {
 public:
  /// Throws CheckFailed when anything has changed since the beginning.
  void expect_unchanged(const std::string& after) const {
    const std::string changed = state_.difference(ProcessState::capture());
    state_.restore();
    check<CheckFailed>(changed.empty(), "{} changes {}.", after, changed);
    check<CheckFailed>(environment() == environment_, "{} changes the environment variables.", after);
    const std::string text = output_.text();
    check<CheckFailed>(text.empty(), "{} prints: {}", after, text);
  }

 private:
  ProcessState state_ = ProcessState::capture();
  std::vector<std::string> environment_ = environment();
  CapturedOutput output_;
};

}  // namespace

void check_fp_environment(const CheckRequest& request, nlohmann::json& detail) {
  const Watch watch;
  { const PluginFile library(request.file); }
  watch.expect_unchanged("loading");
  {
    Subject subject(request);
    watch.expect_unchanged("init or create");
    const auto instance = subject.configured();
    watch.expect_unchanged("configure");
    const Batch batch = make_batch(*instance, 4);
    watch.expect_unchanged("draw_latents or simulate");
    for (const Operation operation : offered_operations(*instance)) {
      call_ok(*instance, operation, batch);
      watch.expect_unchanged(operation_name(operation));
    }
    detail["operations"] = offered_operations(*instance).size();
  }
  watch.expect_unchanged("destroy or shutdown");
}

}  // namespace unchannel::conformance
