#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <unchannel/base/progress.hpp>

namespace unchannel {
namespace {

TEST(FormatDuration, UsesTheTwoLargestUnits) {
  EXPECT_EQ(format_duration(0.0), "0 s");
  EXPECT_EQ(format_duration(12.4), "12 s");
  EXPECT_EQ(format_duration(200.0), "3 min 20 s");
  EXPECT_EQ(format_duration(3720.0), "1 h 02 min");
  EXPECT_EQ(format_duration(100.0 * 3600.0), "100 h 00 min");
}

TEST(FormatDuration, RoundsBeforeItChoosesTheUnit) {
  EXPECT_EQ(format_duration(59.7), "1 min 00 s");
  EXPECT_EQ(format_duration(3599.9), "1 h 00 min");
}

TEST(FormatDuration, CopesWithMeaninglessTimes) {
  EXPECT_EQ(format_duration(-5.0), "0 s");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::infinity()), "unknown");
  EXPECT_EQ(format_duration(std::numeric_limits<double>::quiet_NaN()), "unknown");
}

TEST(Progress, WritesOneLineAtTheStartAndOneAtTheEndIntoALog) {
  testing::internal::CaptureStderr();
  {
    Progress progress("training", 10, 3600.0);
    for (int done = 1; done <= 10; ++done) progress.update(done, "loss 0.5");
    progress.finish();
    progress.finish();  // the second call writes nothing
  }
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_TRUE(text.starts_with("training  10 % 1/10 ")) << text;
  EXPECT_NE(text.find("training 10/10 in 0 s loss 0.5\n"), std::string::npos) << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2) << text;
  EXPECT_EQ(text.find('\r'), std::string::npos) << "a log needs no carriage returns";
}

TEST(Progress, OfNothingIsDoneAtOnce) {
  testing::internal::CaptureStderr();
  Progress progress("empty", 0);
  progress.update(0);
  progress.finish();
  EXPECT_NE(testing::internal::GetCapturedStderr().find("empty 100 % 0/0"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
