#include "worker_process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <thread>
#include <unchannel/base/stop_signal.hpp>

namespace unchannel {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kSharedDescriptor = 3;
constexpr std::size_t kErrorsKept = 4096;
constexpr auto kGoodbye = std::chrono::milliseconds(500);

void set_nonblocking(int descriptor) { ::fcntl(descriptor, F_SETFL, ::fcntl(descriptor, F_GETFL) | O_NONBLOCK); }

/// Writing to a pipe whose reader died raises SIGPIPE, which must not end the program: it is held back here and taken away again.
class PipeSignalBlock {
 public:
  PipeSignalBlock() {
    sigset_t pending;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    ::sigpending(&pending);
    was_pending_ = sigismember(&pending, SIGPIPE) == 1;
    ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
  }
  PipeSignalBlock(const PipeSignalBlock&) = delete;
  PipeSignalBlock& operator=(const PipeSignalBlock&) = delete;
  ~PipeSignalBlock() {
    const timespec at_once{};
    if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &at_once);
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  sigset_t pipe_{}, before_{};
  bool was_pending_ = false;
};

}  // namespace

/// Bytes still to be written: the frame, then the pieces of the payload.
struct WorkerProcess::Outgoing {
  std::vector<std::string_view> pieces;
  std::size_t next = 0;
  bool done() const { return next == pieces.size(); }
};

WorkerProcess::WorkerProcess(const std::vector<std::string>& arguments, NoteSink notes) : notes_(std::move(notes)), reader_(FrameLimits{}) {
  pid_ = spawn_group(arguments, {{requests_.read_end(), STDIN_FILENO},
                                 {answers_.write_end(), STDOUT_FILENO},
                                 {errors_.write_end(), STDERR_FILENO},
                                 {arena_.descriptor(), kSharedDescriptor}});
  requests_.close_read_end();
  answers_.close_write_end();
  errors_.close_write_end();
  set_nonblocking(requests_.write_end());
  set_nonblocking(answers_.read_end());
  set_nonblocking(errors_.read_end());
}

WorkerProcess::~WorkerProcess() {
  if (pid_ < 0) return;
  const std::string goodbye = encode_frame({{"type", "shutdown"}});
  const PipeSignalBlock block;
  if (::write(requests_.write_end(), goodbye.data(), goodbye.size()) == static_cast<ssize_t>(goodbye.size())) {
    const auto deadline = Clock::now() + kGoodbye;
    auto pause = std::chrono::microseconds(100);
    while (Clock::now() < deadline) {
      if (has_ended()) break;
      std::this_thread::sleep_for(pause);
      pause = std::min(2 * pause, std::chrono::microseconds(10000));
    }
  }
  kill_and_reap();
}

void WorkerProcess::kill_and_reap() {
  if (pid_ < 0) return;
  ::kill(-pid_, SIGKILL);  // before the process is reaped: until then nobody else can have its number
  while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
}

bool WorkerProcess::has_ended() const {
  siginfo_t info{};
  return pid_ >= 0 && ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
}

void WorkerProcess::fail(const std::string& what, bool hung_up) {
  // Streams close a little before a dying process is reported dead; its signal belongs into the message.
  bool ended = has_ended();
  for (int i = 0; hung_up && !ended && i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ended = has_ended();
  }
  kill_and_reap();
  drain_errors();
  std::string text = what;
  if (ended) text += fmt::format(" ({})", WIFSIGNALED(status_) ? ending_text(WTERMSIG(status_), 0) : ending_text(0, WEXITSTATUS(status_)));
  const std::string said = last_words(said_);
  throw WorkerFailure(said.empty() ? text : fmt::format("{}. It printed: {}", text, said));
}

void WorkerProcess::drain_errors() {
  std::array<char, 4096> buffer;
  for (;;) {
    const ssize_t got = ::read(errors_.read_end(), buffer.data(), buffer.size());
    if (got == 0) errors_.close_read_end();
    if (got <= 0) return;
    said_.append(buffer.data(), static_cast<std::size_t>(got));
    if (said_.size() > 2 * kErrorsKept) said_.erase(0, said_.size() - kErrorsKept);
  }
}

/// Reads what is there; false at the end of the stream.
bool WorkerProcess::read_answers() {
  std::array<char, 65536> buffer;
  const ssize_t got = ::read(answers_.read_end(), buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  reader_.feed({buffer.data(), static_cast<std::size_t>(got)});
  return got > 0;
}

void WorkerProcess::send_some(Outgoing& outgoing) {
  while (!outgoing.done()) {
    std::string_view& piece = outgoing.pieces[outgoing.next];
    if (!piece.empty()) {
      const ssize_t written = ::write(requests_.write_end(), piece.data(), piece.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0 && errno == EAGAIN) return;
      if (written < 0) fail("the worker process does not take messages any more", true);
      piece.remove_prefix(static_cast<std::size_t>(written));
    }
    if (piece.empty()) ++outgoing.next;
  }
}

std::optional<Message> WorkerProcess::take_answer() {
  while (auto message = reader_.next()) {
    const std::string type = message->type();
    if (type != "log" && type != "progress") return message;
    if (notes_) notes_(message->header);
  }
  return std::nullopt;
}

Message WorkerProcess::exchange(const std::string& what, std::string_view header, std::span<const std::string_view> payload,
                                double deadline_s, std::uint64_t answer_payload_limit) {
  check<WorkerFailure>(pid_ >= 0, "the worker process has ended.");
  std::uint64_t payload_bytes = 0;
  for (const std::string_view piece : payload) payload_bytes += piece.size();
  const std::string frame = encode_frame_text(header, payload_bytes);
  Outgoing outgoing{.pieces = {frame}};
  outgoing.pieces.insert(outgoing.pieces.end(), payload.begin(), payload.end());
  reader_.set_payload_limit(answer_payload_limit);
  const PipeSignalBlock block;
  const auto deadline = Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(deadline_s));
  try {
    if (!reader_.idle()) fail("the worker process sends answers to no question");
    send_some(outgoing);
    wait_.begin();
    bool looking = true;
    for (;;) {
      constexpr int kSlice_ms = 100;  // how soon a death without end of stream and a stop request are noticed
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
      if (left <= 0) fail(fmt::format("the worker process did not finish {} in {} s", what, deadline_s));
      std::array<pollfd, 3> streams{
          {{answers_.read_end(), POLLIN, 0}, {errors_.read_end(), POLLIN, 0}, {outgoing.done() ? -1 : requests_.write_end(), POLLOUT, 0}}};
      const int timeout_ms = looking ? 0 : static_cast<int>(std::min<std::int64_t>(left + 1, kSlice_ms));
      const int ready = ::poll(streams.data(), streams.size(), timeout_ms);
      if (streams[1].revents != 0) drain_errors();
      const bool open = streams[0].revents == 0 || read_answers();
      if (auto answer = take_answer()) {
        if (!outgoing.done()) fail("the worker process answers before it has read the question");
        wait_.end();
        return *std::move(answer);
      }
      if (!open) fail("the worker process ended in " + what, true);
      if (streams[2].revents != 0) send_some(outgoing);
      if (ready == 0 && looking) {
        looking = wait_.look_again();
        continue;
      }
      // A grandchild may hold the pipes of a dead worker open.
      if (ready == 0 && has_ended()) fail("the worker process ended in " + what);
      if (cancellation_requested()) {
        kill_and_reap();
        throw InterruptedError(what + " was stopped", stop_requested());
      }
    }
  } catch (const ProtocolError& error) {
    fail(fmt::format("the worker process does not speak the protocol: {}", error.what()));
  } catch (const nlohmann::json::exception& error) {  // a log or progress message with a field of the wrong type
    fail(fmt::format("the worker process does not speak the protocol: {}", error.what()));
  }
}

}  // namespace unchannel
