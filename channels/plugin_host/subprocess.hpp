#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace unchannel {

/// How a child process ended and what it wrote.
struct SubprocessResult {
  bool timed_out = false;
  int signal = 0;     ///< that killed it; 0 when it ended by itself
  int exit_code = 0;  ///< when signal is 0
  std::string out;
  std::string err;

  /// "exit status 3", "killed by SIGSEGV (segmentation fault)".
  std::string ending() const;
};

/// Runs arguments[0] with the rest as its arguments in a process group of its own, standard input empty. At the time limit the
/// whole group is killed. Of each stream at most `output_limit_bytes` are kept. Throws PluginError when the program cannot be started.
SubprocessResult run_subprocess(const std::vector<std::string>& arguments, double time_limit_s,
                                std::size_t output_limit_bytes = std::size_t{8} << 20);

}  // namespace unchannel
