// cpu-gpu-parity and stream-order on a pretended driver: what is right passes, and each thing that is wrong is caught with its reason. On a
// GPU these checks have never run so far.
#include <gtest/gtest.h>

#include <cstdlib>
#include <unchannel/conformance/check_report.hpp>
#include <unchannel/conformance/check_runner.hpp>

namespace unchannel::conformance {
namespace {

CheckAnswer check(const char* way, const char* id, bool driver = true) {
  const char* const before = std::getenv("LD_LIBRARY_PATH");
  const std::string kept = before ? before : "";
  if (driver) ::setenv("LD_LIBRARY_PATH", PRETENDED_DRIVER, 1);  // the child's loader reads it
  const CheckReport report = check_file({.request = {.file = std::filesystem::path(CUDA_CHANNELS) / (std::string(way) + ".so")},
                                         .only = {id},
                                         .record = false,
                                         .probe = {.worker = WORKER}});
  if (before) {
    ::setenv("LD_LIBRARY_PATH", kept.c_str(), 1);
  } else {
    ::unsetenv("LD_LIBRARY_PATH");
  }
  EXPECT_EQ(report.outcomes.size(), 1u);
  return report.outcomes.at(0).answer;
}

TEST(CudaChecks, AChannelThatIsRightPasses) {
  for (const char* id : {"cpu-gpu-parity", "stream-order"}) {
    const CheckAnswer answer = check("right", id);
    EXPECT_EQ(answer.verdict, Verdict::pass) << id << ": " << answer.reason;
    EXPECT_EQ(answer.detail.at("operations"), 2) << id;
  }
}

TEST(CudaChecks, ResultsThatDifferFromTheCpusAreFound) {
  const CheckAnswer value = check("wrong-value", "cpu-gpu-parity"), status = check("wrong-status", "cpu-gpu-parity");
  EXPECT_EQ(value.verdict, Verdict::fail);
  EXPECT_NE(value.reason.find("mean: mean of sample 0 is 1.0e-03"), std::string::npos) << value.reason;
  EXPECT_EQ(status.verdict, Verdict::fail);
  EXPECT_NE(status.reason.find("sample_status differs"), std::string::npos) << status.reason;
}

TEST(CudaChecks, WorkOutsideOfTheStreamIsFound) {
  const CheckAnswer answer = check("at-once", "stream-order");
  EXPECT_EQ(answer.verdict, Verdict::fail);
  EXPECT_NE(answer.reason.find("not enqueued behind"), std::string::npos) << answer.reason;
}

TEST(CudaChecks, SynchronisingIsFound) {
  const CheckAnswer answer = check("synchronises", "stream-order");
  EXPECT_EQ(answer.verdict, Verdict::fail);
  EXPECT_NE(answer.reason.find("it synchronises"), std::string::npos) << answer.reason;
}

TEST(CudaChecks, AnotherDeviceLeftCurrentIsFound) {
  const CheckAnswer answer = check("leaves-context", "stream-order");
  EXPECT_EQ(answer.verdict, Verdict::fail);
  EXPECT_NE(answer.reason.find("another device current"), std::string::npos) << answer.reason;
}

TEST(CudaChecks, WithoutADeviceNothingIsClaimed) {
  if (std::filesystem::exists("/dev/nvidia0")) GTEST_SKIP() << "this machine has a CUDA device";
  for (const char* id : {"cpu-gpu-parity", "stream-order"}) {
    const CheckAnswer answer = check("right", id, false);
    EXPECT_EQ(answer.verdict, Verdict::untested) << id;
    EXPECT_NE(answer.reason.find("needs a CUDA device"), std::string::npos) << answer.reason;
  }
}

}  // namespace
}  // namespace unchannel::conformance
