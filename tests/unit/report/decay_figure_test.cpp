#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/report/decay_figure.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>

namespace unchannel::report {
namespace {

Figure two_panels() {
  return decay_figure({{"", "KL [nats]", {{"one", {1.0, 0.1, 1e-20}, Tone::kBlue, Mark::kLine}, {"two", {2.0, 1.0, 0.5}, Tone::kOrange, Mark::kLine}}},
                       {"", "W2", {{"one", {0.0, 0.0}, Tone::kBlue, Mark::kLine}}}},
                      "a decay");
}

TEST(DecayFigure, CountsIterationsFromZeroOnALogarithmicAxis) {
  const Figure figure = two_panels();
  ASSERT_EQ(figure.panels.size(), 2U);
  EXPECT_TRUE(figure.panels[0].y.logarithmic);
  EXPECT_FALSE(figure.panels[0].x.logarithmic);
  EXPECT_EQ(figure.panels[0].series[1].x, (std::vector<double>{0.0, 1.0, 2.0}));
  EXPECT_EQ(figure.panels[0].series[1].y, (std::vector<double>{2.0, 1.0, 0.5}));
}

TEST(DecayFigure, LeavesOutWhatIsRounding) {
  const Series series = two_panels().panels[0].series[0];
  EXPECT_EQ(series.y[1], 0.1);
  EXPECT_TRUE(std::isnan(series.y[2])) << "1e-20 of 2 is rounding";
}

TEST(DecayFigure, IsDrawnEvenWhereNothingIsLeftToShow) { EXPECT_NE(run_gnuplot(gnuplot_script(two_panels())).find("<svg"), std::string::npos); }

}  // namespace
}  // namespace unchannel::report
