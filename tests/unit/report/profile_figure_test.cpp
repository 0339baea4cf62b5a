#include <gtest/gtest.h>

#include <unchannel/report/profile_figure.hpp>

namespace unchannel::report {
namespace {

TEST(ProfileFigure, CutsCurvesOffAndNamesTheEndsOnce) {
  const Figure figure = profile_figure({"sigma", {0.2, 0.7, 1.5}, {{"outside", {-40.0, 0.1, 30.0}}}, 0.65, 0.72});
  const Panel& panel = figure.panels.at(0);
  EXPECT_EQ(panel.x.label, "sigma");
  bool found = false;
  for (const Series& series : panel.series) {
    if (series.label != "outside") continue;
    found = true;
    EXPECT_EQ(series.y, (std::vector<double>{panel.y.low, 0.1, panel.y.high}));
  }
  EXPECT_TRUE(found);
  ASSERT_EQ(panel.markers.size(), 2U);
  EXPECT_EQ(panel.markers[0].label, "");
  EXPECT_EQ(panel.markers[1].label, "0.65 to 0.72");
}

TEST(ProfileFigure, LeavesAnOpenEndOut) {
  ProfileCurves curves{"sigma", {0.2, 1.5}, {{"gap", {-1.0, 2.0}}}};
  curves.high = 1.1;
  const std::vector<Marker> markers = profile_figure(curves).panels.at(0).markers;
  ASSERT_EQ(markers.size(), 1U);
  EXPECT_EQ(markers[0].label, "1.1");
}

}  // namespace
}  // namespace unchannel::report
