#include "program_plugin.hpp"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "parameters.hpp"
#include "probe.hpp"
#include "process_limits.hpp"
#include "program_manifest.hpp"

namespace unchannel {
namespace {

constexpr int kFirstDescriptorOfNobody = 4;  // 0, 1, 2 and the shared memory belong to the program

/// What may stand in TOML files and names of data sets without quotes.
bool is_identifier(const std::string& id) {
  return !id.empty() && id.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == std::string::npos;
}

std::string find_python() {
  const char* variable = std::getenv("UNCHANNEL_PYTHON");
  const std::string named = variable ? variable : "";
  if (named.find('/') != std::string::npos) {
    check<PluginError>(::access(named.c_str(), X_OK) == 0,
                       "UNCHANNEL_PYTHON = {}: is no program. Name a Python interpreter that has NumPy, or unset it.", named);
    return named;
  }
  std::string found = program_on_path(named.empty() ? "python3" : named);
  check<PluginError>(!found.empty(), "{} is nowhere on PATH. Install Python with NumPy, or set UNCHANNEL_PYTHON to an interpreter.",
                     named.empty() ? "python3" : named);
  return found;
}

std::vector<std::string> runner_command(const std::filesystem::path& file, const char* mode) {
  const auto runner = (executable_folder() / "../share/unchannel/python/unchannel_runner").lexically_normal();
  std::error_code error;
  check<PluginError>(std::filesystem::is_directory(runner, error),
                     "{}: what runs Python channels is missing. Install unchannel again (cmake --install).", runner.string());
  // -B: no __pycache__ beside the user's files.
  return {find_python(), "-B", runner.string(), mode, std::filesystem::absolute(file).string()};
}

std::vector<std::string> serve_command(const ServeSettings& settings) {
  if (is_program_manifest(settings.file)) {
    check<PluginError>(settings.sha256.empty() || sha256_file(settings.file) == settings.sha256, "{}: has changed since it was probed.",
                       settings.file.string());
    return manifest_command(settings.file);
  }
  std::vector<std::string> command = runner_command(settings.file, "--serve");
  command.insert(command.end(), {"--threads", std::to_string(settings.threads)});
  if (!settings.sha256.empty()) command.insert(command.end(), {"--sha256", settings.sha256});
  return command;
}

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> argv;
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  ::execv(argv[0], argv.data());
  throw PluginError(fmt::format("{}: could not be started: {}.", command[0], ::strerror(errno)));
}

/// Waits for the end of the program, or for the end of its host, which ends everything.
int wait_for(pid_t program, bool end_with_host) {
  std::array<pollfd, 2> events{
      {{static_cast<int>(::syscall(SYS_pidfd_open, program, 0)), POLLIN, 0}, {end_with_host ? STDIN_FILENO : -1, 0, 0}}};
  while (events[0].fd >= 0 && events[0].revents == 0) {
    if (::poll(events.data(), events.size(), -1) < 0) events[0].revents = events[1].revents = 0;
    if (events[1].revents != 0) ::kill(0, SIGKILL);
  }
  int status = 0;
  while (::waitpid(program, &status, 0) < 0 && errno == EINTR) {
  }
  return status;
}

}  // namespace

bool is_program_plugin(const std::filesystem::path& file) { return file.extension() == ".py" || is_program_manifest(file); }

bool is_helper_file(const std::filesystem::path& file) { return file.filename().string().starts_with('_'); }

void probe_program(const std::filesystem::path& file) { become(runner_command(file, "--probe")); }

void check_description(const ChannelDescription& channel) {
  check<PluginError>(is_identifier(channel.id) && !channel.version.empty(), "'{}' cannot be the id of a channel, or it has no version.",
                     channel.id);
  std::set<std::string> seen;
  for (const ParameterDescription& parameter : channel.parameters) {
    const bool good = is_identifier(parameter.id) && seen.insert(parameter.id).second;
    check<PluginError>(good, "the schema is wrong: '{}' cannot be the id of a parameter, or is that of two.", parameter.id);
    if (parameter.required()) continue;
    resolve_parameters(channel.id, {parameter}, {{parameter.id, parameter.default_value}}, ".");
  }
  seen.clear();
  for (const LatentDescription& latent : channel.latents) {
    const bool good = is_identifier(latent.id) && seen.insert(latent.id).second;
    check<PluginError>(good, "the schema is wrong: '{}' cannot be the id of a latent, or is that of two.", latent.id);
  }
}

int serve_program(const ServeSettings& settings) {
  forbid_core_files();
  limit_private_memory(settings.memory_limit_bytes);
  limit_library_threads(settings.threads);
  let_programs_keep_freed_memory();
  const std::vector<std::string> command = serve_command(settings);
  const pid_t self = ::getpid();
  const pid_t program = ::fork();  // this process has one thread
  check<PluginError>(program >= 0, "a process could not be made: {}.", ::strerror(errno));
  if (program == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != self) ::_exit(1);
    try {
      become(command);
    } catch (const PluginError& error) {
      const std::string text = std::string(error.what()) + "\n";
      const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
      ::_exit(written < 0 ? 2 : 1);
    }
  }
  // Held open here, they would hide from the host that the program has ended.
  ::close(STDOUT_FILENO);
  ::close(kFirstDescriptorOfNobody - 1);
  const int status = wait_for(program, settings.end_with_host);
  if (!WIFSIGNALED(status)) return WEXITSTATUS(status);
  ::signal(WTERMSIG(status), SIG_DFL);
  ::raise(WTERMSIG(status));
  return 1;
}

}  // namespace unchannel
