#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <unchannel/base/stop_signal.hpp>

namespace unchannel {
namespace {

TEST(StopSignal, IsRecordedUntilItIsCleared) {
  install_stop_signals();
  EXPECT_EQ(stop_requested(), 0);
  ::raise(SIGTERM);
  EXPECT_EQ(stop_requested(), SIGTERM);
  clear_stop_request();
  EXPECT_EQ(stop_requested(), 0);
}

TEST(StopSignal, UserSignalOfALauncherIsTakenForTermination) {
  install_stop_signals();
  ::raise(SIGUSR1);
  EXPECT_EQ(stop_requested(), SIGTERM);
  clear_stop_request();
}

TEST(StopSignal, SecondInterruptEndsTheProcess) {
  const pid_t child = ::fork();
  if (child == 0) {
    install_stop_signals();
    ::raise(SIGINT);
    if (stop_requested() != SIGINT) ::_exit(1);
    ::raise(SIGINT);
    ::_exit(2);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  ASSERT_TRUE(WIFSIGNALED(status)) << "exit code " << WEXITSTATUS(status);
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

}  // namespace
}  // namespace unchannel
