#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/report/statistics.hpp>

namespace unchannel::report {
namespace {

TEST(Histogram, HasAreaOneWhenAllValuesLieInside) {
  const std::vector<double> values = {0.0, 0.1, 0.1, 0.6, 1.0};
  const Histogram result = histogram(values, 0, 1, 4);
  ASSERT_EQ(result.density.size(), 4U);
  EXPECT_DOUBLE_EQ(result.centre[0], 0.125);
  EXPECT_DOUBLE_EQ(result.density[0], 3 / (5 * 0.25));
  EXPECT_DOUBLE_EQ(result.density[3], 1 / (5 * 0.25));  // the upper end belongs to the last bin
  double area = 0;
  for (const double density : result.density) area += density * 0.25;
  EXPECT_DOUBLE_EQ(area, 1);
}

TEST(Histogram, ValuesOutsideCountInTheAreaOnly) {
  const std::vector<double> values = {0.5, 7.0, NAN, -1.0};
  const Histogram result = histogram(values, 0, 1, 1);
  EXPECT_DOUBLE_EQ(result.density[0], 0.25);
}

TEST(Quantile, InterpolatesBetweenOrderStatisticsAndSkipsNaN) {
  EXPECT_DOUBLE_EQ(quantile({3, 1, 2, NAN}, 0.5), 2);
  EXPECT_DOUBLE_EQ(quantile({0, 10}, 0.25), 2.5);
  EXPECT_DOUBLE_EQ(quantile({4, 1}, 1.0), 4);
  EXPECT_TRUE(std::isnan(quantile({}, 0.5)));
}

}  // namespace
}  // namespace unchannel::report
