#include "gnuplot.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/temporary_folder.hpp>

extern char** environ;

namespace unchannel::report {
namespace {

constexpr auto kTimeLimit = std::chrono::seconds(60);

/// posix_spawn's list of what to open in the child.
class FileActions {
 public:
  FileActions() { posix_spawn_file_actions_init(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&actions_); }
  void open(int descriptor, const std::string& path, int flags) {
    posix_spawn_file_actions_addopen(&actions_, descriptor, path.c_str(), flags, 0600);
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

/// Waits at most kTimeLimit, then ends the child. Returns the wait status, or -1 when it was ended.
int wait_for(pid_t child) {
  const auto deadline = std::chrono::steady_clock::now() + kTimeLimit;
  int status = 0;
  while (true) {
    const pid_t done = waitpid(child, &status, WNOHANG);
    if (done == child) return status;
    if ((done < 0 && errno != EINTR) || std::chrono::steady_clock::now() > deadline) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

}  // namespace

std::string run_gnuplot(const std::string& script, const std::string& program) {
  const TemporaryFolder folder("figure");
  const auto file_of = [&](const char* name) { return (folder.path() / name).string(); };
  const std::string script_path = file_of("figure.gp"), out_path = file_of("out"), error_path = file_of("error");
  {
    std::ofstream file(script_path, std::ios::binary);
    file << script;
    file.close();
    check<DataError>(!file.fail(), "{}: cannot be written. Free space or set TMPDIR to a folder that has some.", script_path);
  }
  FileActions actions;
  actions.open(STDIN_FILENO, "/dev/null", O_RDONLY);
  actions.open(STDOUT_FILENO, out_path, O_WRONLY | O_CREAT | O_EXCL);
  actions.open(STDERR_FILENO, error_path, O_WRONLY | O_CREAT | O_EXCL);
  std::string name = program, option = "-d", argument = script_path;
  char* arguments[] = {name.data(), option.data(), argument.data(), nullptr};
  pid_t child = 0;
  const int failure = posix_spawnp(&child, program.c_str(), actions.get(), nullptr, arguments, environ);
  check<ConfigError>(failure == 0, "figures need gnuplot, but '{}' cannot be started: {}. Install it (apt-get install gnuplot-nox, or "
                     "script/setup) and make sure that PATH contains it.", program, std::strerror(failure));
  const int status = wait_for(child);
  const bool fine = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (!fine) {
    const std::string message = std::filesystem::exists(error_path) ? read_file(error_path).substr(0, 2000) : "";
    // A spawn that finds no program may also report it as exit status 127 of the child.
    check<ConfigError>(status == -1 || !WIFEXITED(status) || WEXITSTATUS(status) != 127,
                       "figures need gnuplot, but '{}' cannot be started. Install it (apt-get install gnuplot-nox, or script/setup).", program);
    throw DataError(status == -1 ? fmt::format("{}: no figure within {} s; it was ended.", program, kTimeLimit.count())
                                 : fmt::format("{}: the figure failed: {}", program, message));
  }
  std::string result = read_file(out_path, std::size_t{256} << 20);
  check<DataError>(!result.empty(), "{}: printed no figure. Is it gnuplot 5.2 or later with the svg terminal?", program);
  return result;
}

}  // namespace unchannel::report
