#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "brief_wait.hpp"
#include "child_process.hpp"
#include "shared_arena.hpp"
#include "wire.hpp"

namespace unchannel {

/// A worker died, hung, or answered with something else than the protocol allows: a fresh one may do better.
class WorkerFailure : public PluginError {
 public:
  using PluginError::PluginError;
};

/// A child process that speaks the worker protocol on its standard input and output. Standard error is captured. One user at a time.
class WorkerProcess {
 public:
  /// Receives "log" and "progress" messages while an answer is awaited.
  using NoteSink = std::function<void(const nlohmann::json& note)>;

  /// Starts arguments[0]. Throws PluginError.
  WorkerProcess(const std::vector<std::string>& arguments, NoteSink notes);
  WorkerProcess(const WorkerProcess&) = delete;
  WorkerProcess& operator=(const WorkerProcess&) = delete;
  /// Asks a healthy worker to end, waits a little, and kills its process group in any case.
  ~WorkerProcess();

  /// Sends a message and returns the answer. Throws WorkerFailure when the process ends, exceeds the deadline or sends garbage (it is
  /// killed then), InterruptedError when the user stops the run.
  /// `header`: JSON text · `what`: its type, for error messages.
  Message exchange(const std::string& what, std::string_view header, std::span<const std::string_view> payload, double deadline_s,
                   std::uint64_t answer_payload_limit);

  pid_t pid() const noexcept { return pid_; }
  /// Descriptor 3 of the child.
  SharedArena& arena() noexcept { return arena_; }

 private:
  struct Outgoing;
  [[noreturn]] void fail(const std::string& what, bool hung_up = false);
  bool has_ended() const;
  void kill_and_reap();
  void drain_errors();
  bool read_answers();
  void send_some(Outgoing& outgoing);
  std::optional<Message> take_answer();

  NoteSink notes_;
  SharedArena arena_;
  Pipe requests_, answers_, errors_;
  pid_t pid_ = -1;
  int status_ = 0;  // of waitpid, once reaped
  FrameReader reader_;
  std::string said_;  // the end of standard error
  BriefWait wait_;
};

}  // namespace unchannel
