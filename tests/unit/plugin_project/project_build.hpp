#pragma once
// Builds a plugin project with CMake against this build tree, as an author would.

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <unchannel/plugin_host/subprocess.hpp>
#include <vector>

namespace unchannel::test {

/// Runs the command and returns what it printed; a failure of the command is one of the test.
inline std::string run(const std::vector<std::string>& command) {
  const SubprocessResult done = run_subprocess(command, 120);
  EXPECT_EQ(done.ending(), "exit status 0") << done.out << done.err;
  return done.out;
}

inline void build_project(const std::filesystem::path& source, const std::filesystem::path& build) {
  run({CMAKE_PROGRAM, "-S", source, "-B", build, "-DCMAKE_PREFIX_PATH=" UNCHANNEL_BINARY_DIR, "-DCMAKE_C_FLAGS=-Wall -Wextra -Werror",
       "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Werror"});
  run({CMAKE_PROGRAM, "--build", build});
}

}  // namespace unchannel::test
