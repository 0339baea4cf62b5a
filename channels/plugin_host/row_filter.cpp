#include "row_filter.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <unchannel/base/error.hpp>

#include "child_process.hpp"

namespace unchannel {
namespace {

constexpr int kAttachment = 3;
constexpr std::size_t kErrorsKept = 4096;

/// An anonymous file that holds `text` and is read from its beginning.
class TextFile {
 public:
  explicit TextFile(std::string_view text) : descriptor_(::memfd_create("unchannel-ids", MFD_CLOEXEC)) {
    for (std::string_view rest = text; !rest.empty();) {
      const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
      if (written < 0 && errno == EINTR) continue;
      check<PluginError>(written > 0, "the ids of a batch could not be written for the program: {}.", ::strerror(errno));
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
    ::lseek(descriptor_, 0, SEEK_SET);
  }
  TextFile(const TextFile&) = delete;
  TextFile& operator=(const TextFile&) = delete;
  ~TextFile() { ::close(descriptor_); }
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// The child and its pipes; killed and reaped in any case.
class Filter {
 public:
  explicit Filter(const FilterRun& run) : run_(run), left_(run.input) {
    const TextFile attachment(run.attachment);
    pid_ = spawn(run.arguments,
                 {{in_.read_end(), STDIN_FILENO},
                  {out_.write_end(), STDOUT_FILENO},
                  {err_.write_end(), STDERR_FILENO},
                  {attachment.descriptor(), kAttachment}},
                 {.own_group = false, .environment = run.environment});
    in_.close_read_end();
    out_.close_write_end();
    err_.close_write_end();
    ::fcntl(in_.write_end(), F_SETFL, O_NONBLOCK);
  }
  Filter(const Filter&) = delete;
  Filter& operator=(const Filter&) = delete;
  ~Filter() { end(true); }

  std::string talk() {
    std::array<char, 65536> buffer;
    if (left_.empty()) in_.close_write_end();
    while (out_.read_end() >= 0 || err_.read_end() >= 0) {
      std::array<pollfd, 3> streams{{{in_.write_end(), POLLOUT, 0}, {out_.read_end(), POLLIN, 0}, {err_.read_end(), POLLIN, 0}}};
      if (::poll(streams.data(), streams.size(), -1) < 0) continue;
      if (streams[0].revents != 0) send_some();
      if (streams[1].revents != 0 && !take(out_, result_, buffer)) out_.close_read_end();
      if (streams[2].revents != 0 && !take(err_, said_, buffer)) err_.close_read_end();
      if (said_.size() > 2 * kErrorsKept) said_.erase(0, said_.size() - kErrorsKept);
      if (result_.size() > run_.output_limit_bytes) {
        end(true);
        throw PluginError(words(fmt::format("the program writes more than the {} bytes that its rows can have", run_.output_limit_bytes)));
      }
    }
    const int status = end(false);
    const bool killed = WIFSIGNALED(status);
    check<PluginError>(
        status == 0, "{}",
        words(fmt::format("the program ended with {}", ending_text(killed ? WTERMSIG(status) : 0, killed ? 0 : WEXITSTATUS(status)))));
    return std::move(result_);
  }

 private:
  std::string words(const std::string& what) const {
    const std::string said = last_words(said_);
    return said.empty() ? what + "." : fmt::format("{}. It printed: {}", what, said);
  }

  int end(bool kill) {
    int status = 0;
    if (pid_ < 0) return status;
    if (kill) ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

  void send_some() {
    const ssize_t written = ::write(in_.write_end(), left_.data(), left_.size());
    if (written < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (written > 0) left_.remove_prefix(static_cast<std::size_t>(written));
    if (written < 0 || left_.empty()) in_.close_write_end();  // EPIPE: it has read enough
  }

  static bool take(const Pipe& pipe, std::string& text, std::array<char, 65536>& buffer) {
    const ssize_t got = ::read(pipe.read_end(), buffer.data(), buffer.size());
    if (got > 0) text.append(buffer.data(), static_cast<std::size_t>(got));
    return got > 0 || (got < 0 && errno == EINTR);
  }

  const FilterRun& run_;
  std::string_view left_;
  Pipe in_, out_, err_;
  pid_t pid_ = -1;
  std::string result_, said_;
};

/// A program that ends early must not end this one: SIGPIPE is ignored meanwhile (children start with the default).
class PipeSignalIgnored {
 public:
  PipeSignalIgnored() : before_(::signal(SIGPIPE, SIG_IGN)) {}
  PipeSignalIgnored(const PipeSignalIgnored&) = delete;
  PipeSignalIgnored& operator=(const PipeSignalIgnored&) = delete;
  ~PipeSignalIgnored() { ::signal(SIGPIPE, before_); }

 private:
  sighandler_t before_;
};

}  // namespace

std::string run_filter(const FilterRun& run) {
  const PipeSignalIgnored ignored;
  return Filter(run).talk();
}

}  // namespace unchannel
