#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <clocale>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/process_state.hpp>
#include <unchannel/plugin_host/subprocess.hpp>

namespace unchannel {
namespace {

SubprocessResult shell(const std::string& script, double time_limit_s = 60) {
  return run_subprocess({"/bin/sh", "-c", script}, time_limit_s);
}

TEST(Subprocess, KeepsBothStreamsApart) {
  const SubprocessResult result = shell("echo out; echo err >&2; exit 3");
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit_code, 3);
  EXPECT_EQ(result.ending(), "exit status 3");
}

TEST(Subprocess, TakesMoreThanAPipeHolds) { EXPECT_EQ(shell("head -c 300000 /dev/zero").out.size(), 300000u); }

TEST(Subprocess, DropsWhatIsBeyondTheLimit) {
  EXPECT_EQ(run_subprocess({"/bin/sh", "-c", "head -c 300000 /dev/zero"}, 60, 1000).out.size(), 1000u);
}

TEST(Subprocess, NamesTheSignalThatKilledIt) { EXPECT_EQ(shell("kill -SEGV $$").ending(), "killed by SIGSEGV (Segmentation fault)"); }

TEST(Subprocess, KillsTheWholeGroupAtTheTimeLimit) {
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(shell("sleep 100 & sleep 100", 0.3).timed_out);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Subprocess, DoesNotWaitForGrandchildrenThatHoldThePipe) {
  const auto start = std::chrono::steady_clock::now();
  const SubprocessResult result = shell("sleep 100 & echo done");
  EXPECT_FALSE(result.timed_out);
  EXPECT_EQ(result.out, "done\n");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Subprocess, SaysThatAProgramIsMissing) { EXPECT_THROW(run_subprocess({"/nowhere/program"}, 1), PluginError); }

TEST(ProcessState, NamesEveryChangeAndUndoesIt) {
  const ProcessState before = ProcessState::capture();
  EXPECT_EQ(before.difference(ProcessState::capture()), "");
  set_float_control(float_control() ^ 0x8000u);
  ::signal(SIGUSR1, [](int) {});
  std::setlocale(LC_ALL, "C.UTF-8");
  const std::string changed = before.difference(ProcessState::capture());
  EXPECT_NE(changed.find("floating-point mode"), std::string::npos) << changed;
  EXPECT_NE(changed.find("SIGUSR1"), std::string::npos) << changed;
  EXPECT_NE(changed.find("locale ('C' became 'C.UTF-8')"), std::string::npos) << changed;
  before.restore();
  EXPECT_EQ(before.difference(ProcessState::capture()), "");
}

}  // namespace
}  // namespace unchannel
