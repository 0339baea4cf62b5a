#include "subprocess.hpp"

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
#include <unchannel/base/error.hpp>
#include <utility>

#include "child_process.hpp"

namespace unchannel {
namespace {

using Clock = std::chrono::steady_clock;

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

std::string SubprocessResult::ending() const { return ending_text(signal, exit_code); }

SubprocessResult run_subprocess(const std::vector<std::string>& arguments, double time_limit_s, std::size_t output_limit_bytes) {
  SubprocessResult result;
  Pipe out, err;
  const auto deadline = Clock::now() + std::chrono::milliseconds(static_cast<std::int64_t>(1e3 * time_limit_s));
  const pid_t child = spawn_group(arguments, {{-1, STDIN_FILENO}, {out.write_end(), STDOUT_FILENO}, {err.write_end(), STDERR_FILENO}});
  out.close_write_end();
  err.close_write_end();
  int status = 0;
  read_until_exit(child, out, err, deadline, output_limit_bytes, result, status);
  if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
  if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
  return result;
}

}  // namespace unchannel
