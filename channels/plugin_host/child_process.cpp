#include "child_process.hpp"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <unchannel/base/error.hpp>

extern char** environ;

namespace unchannel {
namespace {

/// Copies with numbers above those that a child expects, so that no copy overwrites another one's source.
class Sources {
 public:
  explicit Sources(const std::vector<ChildDescriptor>& descriptors) {
    constexpr int kAboveTargets = 10;
    for (const auto& [source, target] : descriptors) {
      const int copy = source < 0 ? ::open("/dev/null", O_RDWR | O_CLOEXEC) : ::fcntl(source, F_DUPFD_CLOEXEC, kAboveTargets);
      if (copy >= 0) copies_.emplace_back(copy, target);
      check<PluginError>(copy >= 0, "a descriptor for a child process could not be made: {}.", ::strerror(errno));
    }
  }
  Sources(const Sources&) = delete;
  Sources& operator=(const Sources&) = delete;
  ~Sources() {
    for (const auto& [copy, target] : copies_) ::close(copy);
  }
  const std::vector<ChildDescriptor>& copies() const { return copies_; }

 private:
  std::vector<ChildDescriptor> copies_;
};

/// This process's environment and more.
class Environment {
 public:
  explicit Environment(const std::vector<std::pair<std::string, std::string>>& added) {
    for (const auto& [name, value] : added) texts_.push_back(fmt::format("{}={}", name, value));
    for (std::string& text : texts_) pointers_.push_back(text.data());
    for (char** own = environ; *own; ++own) {
      const std::string_view text = *own;
      const auto replaced = [&](const auto& entry) { return text.substr(0, text.find('=')) == entry.first; };
      if (std::none_of(added.begin(), added.end(), replaced)) pointers_.push_back(*own);
    }
    pointers_.push_back(nullptr);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  char** pointers() { return pointers_.data(); }

 private:
  std::vector<std::string> texts_;
  std::vector<char*> pointers_;
};

}  // namespace

Pipe::Pipe() {
  const int status = ::pipe2(ends_, O_CLOEXEC);
  check<PluginError>(status == 0, "a pipe to a child process could not be made: {}.", ::strerror(errno));
}

Pipe::~Pipe() {
  close_end(0);
  close_end(1);
}

void Pipe::close_end(int index) {
  if (ends_[index] >= 0) ::close(std::exchange(ends_[index], -1));
}

pid_t spawn(const std::vector<std::string>& arguments, const std::vector<ChildDescriptor>& descriptors, const SpawnSettings& settings) {
  const Sources sources(descriptors);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  for (const auto& [copy, target] : sources.copies()) ::posix_spawn_file_actions_adddup2(&actions, copy, target);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &all);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  const int group = settings.own_group ? POSIX_SPAWN_SETPGROUP : 0;
  ::posix_spawnattr_setflags(&attributes, static_cast<short>(group | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF));
  Environment environment(settings.environment);
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_t child = -1;
  const int error = ::posix_spawn(&child, argv[0], &actions, &attributes, argv.data(), environment.pointers());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  check<PluginError>(error == 0, "{}: could not be started: {}.", arguments[0], ::strerror(error));
  return child;
}

pid_t spawn_group(const std::vector<std::string>& arguments, const std::vector<ChildDescriptor>& descriptors) {
  return spawn(arguments, descriptors, {});
}

std::string ending_text(int signal, int exit_code) {
  if (signal == 0) return fmt::format("exit status {}", exit_code);
  const char* name = ::sigabbrev_np(signal);
  const char* meaning = ::sigdescr_np(signal);
  return fmt::format("killed by SIG{} ({})", name ? name : std::to_string(signal), meaning ? meaning : "unknown signal");
}

std::string last_words(std::string text) {
  constexpr std::size_t kKept = 400;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > kKept) text = "…" + text.substr(text.size() - kKept);
  for (char& c : text) {
    if (c == '\n' || c == '\t' || c == '\r') c = ' ';
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';  // no escape sequences on the user's terminal
  }
  return text;
}

}  // namespace unchannel
