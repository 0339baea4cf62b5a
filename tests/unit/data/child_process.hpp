#pragma once

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <fstream>
#include <string>

namespace unchannel::test_support {

/// Bytes of address space this process has mapped.
inline rlim_t mapped_bytes() {
  std::ifstream statm("/proc/self/statm");
  rlim_t pages = 0;
  statm >> pages;
  return pages * static_cast<rlim_t>(::sysconf(_SC_PAGESIZE));
}

inline void limit_resource(int resource, rlim_t bytes) {
  const rlimit limit{bytes, bytes};
  if (::setrlimit(static_cast<__rlimit_resource_t>(resource), &limit) != 0) ::_exit(99);
}

/// Runs `action` in a forked child, so that its limits and damage stay there. Returns the exit status: what `action`
/// returns (0…90), 91 when an exception escaped, 128 + signal when the child was killed.
template <class Action>
int run_in_child(Action&& action) {
  std::fflush(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    int status = 91;
    try {
      status = action();
    } catch (const std::exception& error) {
      std::fprintf(stderr, "child: %s\n", error.what());
    }
    std::exit(status);  // with exit handlers: HDF5 shuts down there, which must not hang or abort either
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace unchannel::test_support
