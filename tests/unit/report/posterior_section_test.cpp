#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>
#include <unchannel/base/error.hpp>
#include <unchannel/report/posterior_section.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "well_formed.hpp"

namespace unchannel::report {
namespace {

constexpr const char* kCalibration = R"({"pairs": 1024, "samples": 79,
  "sbc_directions": {"p_value": 0.21, "p_values": [0.21], "histogram": [0.25, 0.25, 0.3, 0.2]},
  "sbc_elements": {"p_value": 0.004, "p_values": [0.004], "histogram": [0.4, 0.1, 0.1, 0.4]},
  "tarp": {"p_value": 0.5, "histogram": [0.5, 0.5]},
  "coverage_50": {"value": 0.487, "standard_error": 0.01}, "coverage_90": {"value": 0.893, "standard_error": 0.005},
  "mean_rmse_data_units": 0.2, "draw_rmse_data_units": 0.28, "spread_data_units": 0.19})";

void write_calibration(const std::filesystem::path& run, const std::string& text) {
  std::filesystem::create_directories(run / "posterior");
  std::ofstream(run / "posterior" / "calibration.json") << text;
}

TEST(PosteriorSection, ShowsCoverageTestsAndWhatTheIntervalsLeaveOut) {
  const test_support::TempDir folder;
  write_calibration(folder.path(), kCalibration);
  HtmlPage page("run", "");
  add_posterior_section(page, folder.path());
  const std::string html = page.html();
  EXPECT_EQ(report_test::page_problems(html), std::vector<std::string>{});
  for (const char* fact : {"48.7 ± 1.0 %", "89.3 ± 0.5 %", "p = 0.21", "p = 0.004", "leave out its own uncertainty", "<svg"}) {
    EXPECT_NE(html.find(fact), std::string::npos) << fact;
  }
}

TEST(PosteriorSection, IsAbsentWithoutASampler) {
  const test_support::TempDir folder;
  HtmlPage page("run", "");
  const std::string before = page.html();
  add_posterior_section(page, folder.path());
  EXPECT_EQ(page.html(), before);
}

TEST(PosteriorSection, SaysWhichFileIsDamaged) {
  const test_support::TempDir folder;
  write_calibration(folder.path(), R"({"pairs": 3})");
  try {
    read_calibration(folder.path());
    FAIL() << "must throw";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("calibration.json: is damaged"), std::string::npos);
  }
}

}  // namespace
}  // namespace unchannel::report
