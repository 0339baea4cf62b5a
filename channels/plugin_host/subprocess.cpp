#include "subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <unchannel/base/error.hpp>
#include <utility>

extern char** environ;

namespace unchannel {
namespace {

using Clock = std::chrono::steady_clock;

class Pipe {
 public:
  Pipe() {
    check<PluginError>(::pipe2(ends_.data(), O_CLOEXEC) == 0, "a pipe to a child process could not be made: {}.", ::strerror(errno));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_end(int index) {
    if (ends_[index] >= 0) ::close(std::exchange(ends_[index], -1));
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// posix_spawn instead of fork: after OpenMP has started its threads a forked child may hang.
pid_t spawn(const std::vector<std::string>& arguments, const Pipe& out, const Pipe& err) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.write_end(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.write_end(), STDERR_FILENO);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error = ::posix_spawn(&child, argv[0], &actions, &attributes, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  check<PluginError>(error == 0, "{}: could not be started: {}.", arguments[0], ::strerror(error));
  return child;
}

/// Moves what is readable into `text`; false at the end of the stream.
bool drain(int descriptor, std::string& text, std::size_t limit) {
  std::array<char, 16384> buffer;
  const ssize_t got = ::read(descriptor, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  const std::size_t room = limit > text.size() ? limit - text.size() : 0;
  text.append(buffer.data(), std::min(room, static_cast<std::size_t>(got)));
  return got > 0;
}

void read_until_exit(pid_t child, Pipe& out, Pipe& err, Clock::time_point deadline, std::size_t limit, SubprocessResult& result,
                     int& status) {
  std::array<pollfd, 2> streams{{{out.read_end(), POLLIN, 0}, {err.read_end(), POLLIN, 0}}};
  const std::array<std::string*, 2> texts{&result.out, &result.err};
  int wait_ms = 1;
  for (;;) {
    const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left_ms <= 0) {
      result.timed_out = true;
      ::kill(-child, SIGKILL);
      ::waitpid(child, &status, 0);
      return;
    }
    const bool open = streams[0].fd >= 0 || streams[1].fd >= 0;
    // Closed streams do not mean that the child is gone, nor the other way round (a grandchild may hold them): look at both.
    ::poll(streams.data(), streams.size(), open ? 50 : wait_ms);
    if (!open) wait_ms = std::min(2 * wait_ms, 50);
    for (std::size_t i = 0; i < streams.size(); ++i) {
      if (streams[i].fd >= 0 && streams[i].revents != 0 && !drain(streams[i].fd, *texts[i], limit)) streams[i].fd = -1;
    }
    siginfo_t info{};
    // WNOWAIT: the process id must stay ours until its group has been killed.
    if (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child) {
      for (std::size_t i = 0; i < streams.size(); ++i) {
        if (streams[i].fd < 0) continue;
        ::fcntl(streams[i].fd, F_SETFL, O_NONBLOCK);
        while (drain(streams[i].fd, *texts[i], limit) && errno != EAGAIN) errno = 0;
      }
      ::kill(-child, SIGKILL);  // left-over grandchildren
      ::waitpid(child, &status, 0);
      return;
    }
  }
}

}  // namespace

std::string SubprocessResult::ending() const {
  if (signal == 0) return fmt::format("exit status {}", exit_code);
  const char* name = ::sigabbrev_np(signal);
  const char* meaning = ::sigdescr_np(signal);
  return fmt::format("killed by SIG{} ({})", name ? name : std::to_string(signal), meaning ? meaning : "unknown signal");
}

SubprocessResult run_subprocess(const std::vector<std::string>& arguments, double time_limit_s, std::size_t output_limit_bytes) {
  SubprocessResult result;
  Pipe out, err;
  const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * time_limit_s));
  const pid_t child = spawn(arguments, out, err);
  out.close_end(1);
  err.close_end(1);
  int status = 0;
  read_until_exit(child, out, err, deadline, output_limit_bytes, result, status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace unchannel
