#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/report/size_curve.hpp>
#include <unchannel/test_support/message_of.hpp>

namespace unchannel::report {
namespace {

RunHistory history_of(std::vector<double> rmse) {
  RunHistory history;
  for (const double value : rmse) {
    history.evaluations.emplace_back();
    history.evaluations.back().monitor_rmse = value;
  }
  return history;
}

TEST(SizeCurve, ARunCountsWithItsLastAndItsLeastError) {
  RunHistory history = history_of({3.0, 1.0, NAN, 2.0});
  history.test.emplace();
  history.test->gap_excess_relative = 0.25;
  const CurveRun run = curve_run(history, 1000, 7, "a");
  EXPECT_EQ(run.rmse, 2.0);
  EXPECT_EQ(run.least_rmse, 1.0);
  EXPECT_EQ(run.test_gap, 0.25);
}

TEST(SizeCurve, ARunWithoutMonitoredErrorIsRefusedByName) {
  EXPECT_NE(test_support::message_of<DataError>([] { curve_run(history_of({NAN}), 1000, 7, "folder-a"); }).find("folder-a"), std::string::npos);
}

TEST(SizeCurve, PointsAreMeansWithTheirStandardErrorInRisingOrder) {
  const std::vector<CurveRun> runs = {{3000, 1, "c", 5.0, 4.0, 0.0}, {1000, 1, "a", 1.0, 1.0, 0.0}, {1000, 2, "b", 3.0, 2.0, 0.0}};
  const std::vector<CurvePoint> points = curve_points(runs);
  ASSERT_EQ(points.size(), 2U);
  EXPECT_EQ(points[0].observations, 1000);
  EXPECT_EQ(points[0].runs, 2);
  EXPECT_DOUBLE_EQ(points[0].rmse, 2.0);
  EXPECT_DOUBLE_EQ(points[0].rmse_standard_error, 1.0);  // deviation sqrt(2), over sqrt(2)
  EXPECT_DOUBLE_EQ(points[0].least_rmse, 1.5);
  EXPECT_EQ(points[1].observations, 3000);
  EXPECT_TRUE(std::isnan(points[1].rmse_standard_error));
}

TEST(SizeCurve, JsonAndFigureTakeWhatIsNotANumber) {
  const std::vector<CurveRun> runs = {{1000, 1, "a", 1.0, 1.0, NAN}};
  EXPECT_NE(curve_json(runs).dump().find("\"test_gap_excess_relative\":null"), std::string::npos);
  EXPECT_NO_THROW(render_figure(curve_figure(runs)));
  EXPECT_NO_THROW(render_figure(curve_figure({})));
}

}  // namespace
}  // namespace unchannel::report
