#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace unchannel {

/// A pipe whose ends no other child inherits. Throws PluginError when there is none to be had.
class Pipe {
 public:
  Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe();
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_read_end() { close_end(0); }
  void close_write_end() { close_end(1); }

 private:
  void close_end(int index);
  int ends_[2] = {-1, -1};
};

/// A descriptor of ours and its number in the child. Source −1: /dev/null.
using ChildDescriptor = std::pair<int, int>;

struct SpawnSettings {
  bool own_group = true;                                           ///< a process group of its own, else this process's
  std::vector<std::pair<std::string, std::string>> environment{};  ///< added to this process's own, or instead of what has the same name
};

/// Starts arguments[0], signals at their defaults, with the given descriptors and no others but what lacks CLOEXEC. posix_spawn instead of
/// fork: after OpenMP has started its threads a forked child may hang. Throws PluginError.
pid_t spawn(const std::vector<std::string>& arguments, const std::vector<ChildDescriptor>& descriptors, const SpawnSettings& settings);

/// The same in a process group of its own.
pid_t spawn_group(const std::vector<std::string>& arguments, const std::vector<ChildDescriptor>& descriptors);

/// "exit status 3", "killed by SIGSEGV (segmentation fault)".
std::string ending_text(int signal, int exit_code);

/// The end of what a child wrote to standard error: one line, no control characters, at most 400 bytes of it.
std::string last_words(std::string text);

}  // namespace unchannel
