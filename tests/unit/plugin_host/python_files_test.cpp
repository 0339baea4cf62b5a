#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/isolation.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

using test_support::message_of;

/// What is said about Python files that are no plugins, and what belongs to those that are.
class PythonFiles : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    ::setenv("UNCHANNEL_WORKER", WORKER, 1);
    ::setenv("UNCHANNEL_PYTHON", PYTHON, 1);
  }
  ProbeResult probe(const std::string& name, const std::string& text, double time_limit_s = 20) {
    write_file_atomically(folder_ / name, text);
    return probe_library(folder_ / name, {.worker = WORKER, .time_limit_s = time_limit_s});
  }
  std::string why(const std::string& text) {
    const ProbeResult result = probe("file" + std::to_string(++files_) + ".py", text);
    EXPECT_FALSE(result.good) << text;
    return result.reason;
  }

  test_support::TempDir folder_;
  int files_ = 0;
};

constexpr const char* kGood = "channel = {'id': 'a.b'}\ndef simulate(x):\n  return x\n";

TEST_F(PythonFiles, TellsWhatIsWrongWithAFile) {
  const std::vector<std::pair<std::string, std::string>> files = {
      {"channel = {'id': 'a.b'}\ndef simulate(x)\n  return x\n", ".py:2: def simulate(x))"},
      {"def simulate(x):\n  return x\n", "has no table `channel = {"},
      {"channel = {'id': 'a.b'}\n", "has no function simulate("},
      {"channel = ['a.b']\ndef simulate(x): return x\n", "must be a dictionary"},
      {"channel = {}\ndef simulate(x): return x\n", "channel['id'] is missing"},
      {"import numpy\nchannel = {'id': 'a.b', 'a': 1 / 0}\n", "ZeroDivisionError: division by zero (file6.py:2 in <module>: channel = {"},
      {"import sys\nsys.exit('bye')\n", "calls sys.exit"},
      {"channel = {'id': 'a.b'}\ndef simulate(signal): return signal\n", "simulate asks for 'signal'; it can have x, latents, parameters"},
      {"channel = {'id': 'a.b', 'latents': {'g': {'prior': 'cauchy(0, 1)'}}}\ndef simulate(x): return x\n", "'g'] is drawn by nobody"},
      {"channel = {'id': 'a.b', 'latents': {'g': {'prior': 'normal(0, sd)'}}}\ndef simulate(x): return x\n", "the prior 'normal(0, sd)'"},
      {"channel = {'id': 'a.b', 'parameters': {'p': {'defualt': 1}}}\ndef simulate(x): return x\n", "has no entry 'defualt'"},
      {"channel = {'id': 'a.b', 'parameters': {'p': {'default': 1.5, 'max': 1}}}\ndef simulate(x): return x\n",
       "p must lie in the range ≤ 1"},
      {"channel = {'id': 'a.b', 'parameters': {'p': {'default': 1, 'max': 2.5}}}\ndef simulate(x): return x\n", "must be of type i64"},
      {"channel = {'id': 'a b'}\ndef simulate(x): return x\n", "channel['id'] = 'a b'"},
      {"import os\nos._exit(0)\n", "ends the process in the import of the file with exit status 0"},
      {"import os\nos.kill(os.getpid(), 11)\n", "crashes in the import of the file: killed by SIGSEGV"},
      {"\xff", "cannot be loaded: SyntaxError"}};
  for (const auto& [text, expected] : files) {
    const std::string reason = why(text);
    EXPECT_NE(reason.find(expected), std::string::npos) << text << "\n" << reason;
  }
  EXPECT_TRUE(probe("good.py", kGood).good) << "what the others are variants of";
  EXPECT_NE(probe("sleeps.py", "import time\ntime.sleep(60)\n", 2).reason.find("does not finish: stopped after 2 s in the import"),
            std::string::npos);
  const ProbeResult chatty = probe("chatty.py", std::string("print('UCW1 hello')\n") + kGood);
  EXPECT_TRUE(chatty.good) << chatty.reason;
  ASSERT_EQ(chatty.warnings.size(), 1u);
  EXPECT_NE(chatty.warnings[0].find("UCW1 hello"), std::string::npos);
}

TEST_F(PythonFiles, TellsWhichInterpreterLacksWhat) {
  // Without site-packages there is no NumPy.
  write_file_atomically(folder_ / "bare", "#!/bin/sh\nexec " PYTHON " -S \"$@\"\n");
  std::filesystem::permissions(folder_ / "bare", std::filesystem::perms::owner_all);
  ::unsetenv("PYTHONPATH");
  ::setenv("UNCHANNEL_PYTHON", (folder_ / "bare").c_str(), 1);
  EXPECT_NE(why(kGood).find("needs NumPy, and"), std::string::npos);
  ::setenv("UNCHANNEL_PYTHON", "/nowhere/python3", 1);
  EXPECT_NE(why(kGood).find("UNCHANNEL_PYTHON = /nowhere/python3: is no program"), std::string::npos);
  ::setenv("UNCHANNEL_PYTHON", "no_such_python", 1);
  EXPECT_NE(why(kGood).find("no_such_python is nowhere on PATH"), std::string::npos);
  ::setenv("UNCHANNEL_PYTHON", PYTHON, 1);
}

TEST_F(PythonFiles, IsFoundInAFolderAndItsHelpersBelongToIt) {
  write_file_atomically(folder_ / "_helper.py", "factor = 2\n");
  write_file_atomically(folder_ / "good.py", std::string("from _helper import factor\n") + kGood);
  write_file_atomically(folder_ / "bad.py", "def simulate(x): return x\n");
  write_file_atomically(folder_ / "notes.txt", "no plugin");
  const PluginRegistry plugins({.plugin_dirs = {folder_.path()}, .default_folders = false});
  ASSERT_EQ(plugins.libraries().size(), 2u);
  EXPECT_EQ(plugins.find("a.b").channel->determinism, UNCHANNEL_DETERMINISM_NONE) << "no generator of the SDK";
  const std::string message = message_of<ConfigError>([&] { plugins.find("a.c"); });
  EXPECT_NE(message.find("bad.py failed to load: has no table"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(folder_ / "__pycache__"));
  write_file_atomically(folder_ / "_helper.py", "factor = 3\n");
  EXPECT_NE(message_of<PluginError>([&] { open_plugin(plugins, "a.b"); }).find("_helper.py has changed since it was probed"),
            std::string::npos);
  write_file_atomically(folder_ / "_helper.py", "factor = 2\n");
  write_file_atomically(folder_ / "good.py", std::string("factor = 2\n") + kGood);
  EXPECT_NE(message_of<PluginError>([&] { open_plugin(plugins, "a.b"); }).find("has changed since it was probed"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
