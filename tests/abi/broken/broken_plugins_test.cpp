// Every check catches the plugin that is broken in its thing, and the checks before it in the order do not.
#include <gtest/gtest.h>

#include <algorithm>
#include <unchannel/conformance/check_report.hpp>
#include <unchannel/conformance/check_runner.hpp>

namespace unchannel::conformance {
namespace {

class BrokenPlugin : public testing::TestWithParam<std::string> {};

TEST_P(BrokenPlugin, IsCaughtFirstByTheCheckOfItsName) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "a sanitizer stops some of these plugins before the check that is meant";
#endif
  const CheckReport report = check_file({.request = {.file = std::filesystem::path(BROKEN_DIR) / (GetParam() + ".so")},
                                         .stop_at_failure = true,
                                         .record = false,
                                         .probe = {.worker = WORKER}});
  ASSERT_FALSE(report.outcomes.empty());
  EXPECT_FALSE(report.passed());
  const CheckOutcome& last = report.outcomes.back();
  EXPECT_EQ(last.info->id, GetParam()) << report_table(report);
  EXPECT_EQ(last.answer.verdict, Verdict::fail) << report_table(report);
  EXPECT_FALSE(last.answer.reason.empty());
}

std::vector<std::string> all_ids() {
  std::vector<std::string> ids;
  for (const CheckInfo& info : all_checks()) ids.emplace_back(info.id);
  return ids;
}

std::string test_name(const testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(EachCheck, BrokenPlugin, testing::ValuesIn(all_ids()), test_name);

TEST(CheckTable, HoldsTheTwentyNineChecksOfTheContract) { EXPECT_EQ(all_checks().size(), 29u); }

}  // namespace
}  // namespace unchannel::conformance
