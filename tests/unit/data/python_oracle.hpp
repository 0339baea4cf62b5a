#pragma once

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel::test_support {

/// NumPy, h5py and astropy as readers and writers that share no code with ours.
class PythonOracle {
 public:
  /// True when `module` can be imported; tests skip visibly otherwise.
  static bool has(const std::string& module) {
    return std::system((interpreter() + " -c 'import " + module + "' 2>/dev/null").c_str()) == 0;
  }

  /// Runs a script with arguments and returns what it prints. Throws on a non-zero exit.
  static std::string run(const std::string& script, const std::string& arguments) {
    const TempDir folder;
    std::ofstream(folder / "oracle.py") << script;
    const std::string command = interpreter() + " " + (folder / "oracle.py").string() + " " + arguments + " 2>&1";
    FILE* pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr) throw std::runtime_error("python cannot be started");
    std::string output;
    std::array<char, 4096> block{};
    while (const std::size_t count = std::fread(block.data(), 1, block.size(), pipe)) output.append(block.data(), count);
    if (::pclose(pipe) != 0) throw std::runtime_error("the oracle failed: " + output);
    return output;
  }

 private:
  static std::string interpreter() {
    if (const char* chosen = std::getenv("UNCHANNEL_PYTHON")) return chosen;
    const std::string own = UNCHANNEL_SOURCE_DIR "/.deps/python/bin/python3";  // made by script/setup
    return std::filesystem::exists(own) ? own : "python3";
  }
};

}  // namespace unchannel::test_support

#define UNCHANNEL_NEEDS_PYTHON(module) \
  if (!::unchannel::test_support::PythonOracle::has(module)) GTEST_SKIP() << "Python module " module " is not installed"
