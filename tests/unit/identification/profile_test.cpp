#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/identification/profile.hpp>

namespace unchannel::identification {
namespace {

UnknownSettings uniform(double low, double high) {
  UnknownSettings unknown;
  unknown.parameter = "sigma";
  unknown.prior = "uniform";
  unknown.low = low;
  unknown.high = high;
  return unknown;
}

ProfilePoint point(double value, double excess, double error = 1.0) { return {value, {{{excess, error}}}}; }

TEST(Statistic, LimitsAreThoseOfTheNormalLaw) {
  EXPECT_NEAR((Statistic{"gap", false, 0.0, 0.1}.limit()), 1.2815515655, 1e-8);
  EXPECT_NEAR((Statistic{"outside", true, 0.0, 0.1}.limit()), 1.6448536270, 1e-8);
}

TEST(Members, TheirScatterJoinsTheErrorOfTheData) {
  // Excesses 1 and 3: mean 2, variance 2; errors 1 and 2: mean square 2.5.
  const ProfilePoint both{0.5, {{{1.0, 1.0}}, {{3.0, 2.0}}}};
  EXPECT_DOUBLE_EQ(combined(both, 0).excess, 2.0);
  EXPECT_DOUBLE_EQ(combined(both, 0).error, std::sqrt(2.5 + 2.0));
  EXPECT_DOUBLE_EQ(combined(point(0.5, 1.0, 0.3), 0).error, 0.3);
}

TEST(Profile, KeepsItsPointsInOrder) {
  Profile profile;
  for (const double value : {0.4, 0.1, 0.3}) profile.add(point(value, 0));
  EXPECT_EQ(profile.points[0].value, 0.1);
  EXPECT_EQ(profile.points[2].value, 0.4);
}

TEST(AcceptedValues, AreFoundBetweenRejectedPoints) {
  // z = 10 (value − 0.5): |z| ≤ 1.6449 between 0.33551 and 0.66449; no point lies there. Cells are 1/4000 wide.
  const Profile profile{{{"outside", true, 0.0, 0.1}}, {point(0.0, -5.0), point(0.25, -2.5), point(0.75, 2.5), point(1.0, 5.0)}};
  const Accepted accepted = accepted_values(read_finely(profile, Prior(uniform(0, 1))));
  EXPECT_NEAR(accepted.low, 0.335515, 3e-4);
  EXPECT_NEAR(accepted.high, 0.664485, 3e-4);
  EXPECT_EQ(accepted.ranges, 1U);
  EXPECT_FALSE(accepted.to_the_low || accepted.to_the_high);
}

TEST(AcceptedValues, ReachTheEndWhereAOneSidedStatisticIsNegative) {
  const Profile profile{{{"gap", false, 0.1, 0.1}}, {point(0.2, -3.0), point(0.6, 0.0), point(1.0, 10.1)}};
  const Accepted accepted = accepted_values(read_finely(profile, Prior(uniform(0.2, 1.0))));
  EXPECT_TRUE(accepted.to_the_low);
  // z from −0.1 at 0.6 to 10 at 1.0 crosses 1.28155 at 0.6 + 0.4 · 1.38155/10.1.
  EXPECT_NEAR(accepted.high, 0.6 + 0.4 * 1.38155 / 10.1, 3e-4);
}

TEST(AcceptedValues, NoneAreLeftWhereTwoStatisticsContradict) {
  const std::vector<Statistic> both = {{"gap", false, 0.0, 0.02}, {"outside", true, 0.0, 0.08}};
  const auto entry = [](double value, double gap, double outside) { return ProfilePoint{value, {{{gap, 1.0}, {outside, 1.0}}}}; };
  const Profile profile{both, {entry(0, 9, -9), entry(0.5, 9, 0), entry(1, 9, 9)}};
  EXPECT_FALSE(accepted_values(read_finely(profile, Prior(uniform(0, 1)))).any);
}

TEST(AcceptedValues, CountTheirPieces) {
  const Profile profile{{{"gap", false, 0.0, 0.1}}, {point(0, 0), point(0.25, 9), point(0.5, 0), point(0.75, 9), point(1, 0)}};
  EXPECT_EQ(accepted_values(read_finely(profile, Prior(uniform(0, 1)))).ranges, 3U);
}

TEST(NextValues, AreTheEndsOfTheAcceptedOnes) {
  const Profile profile{{{"outside", true, 0.0, 0.1}}, {point(0.0, -5.0), point(1.0, 5.0)}};
  const std::vector<double> next = next_values(profile, Prior(uniform(0, 1)));
  ASSERT_EQ(next.size(), 2U);
  EXPECT_NEAR(next[0], 0.335515, 3e-4);
  EXPECT_NEAR(next[1], 0.664485, 3e-4);
}

TEST(NextValues, AreNoneWhereTheProfileIsDenseOrOpen) {
  Profile dense{{{"outside", true, 0.0, 0.1}}, {}};
  for (int i = 0; i <= 2000; ++i) dense.add(point(i / 2000.0, 10.0 * (i / 2000.0 - 0.5)));
  EXPECT_TRUE(next_values(dense, Prior(uniform(0, 1))).empty());
  const Profile open{{{"gap", false, 0.0, 0.1}}, {point(0, 0), point(1, 0)}};
  EXPECT_TRUE(next_values(open, Prior(uniform(0, 1))).empty());
}

TEST(NextValues, LieBesideTheLeastRejectedPointWhereAllAreRejected) {
  const Profile profile{{{"gap", false, 0.0, 0.1}}, {point(0, 20), point(0.5, 4), point(1, 20)}};
  EXPECT_EQ(next_values(profile, Prior(uniform(0, 1))), (std::vector<double>{0.25, 0.75}));
}

TEST(Weights, OfAFlatProfileAreThePriors) {
  const Profile profile{{{"gap", false, 0.0, 0.1}}, {point(0, -1), point(1, -1)}};
  const FineProfile flat = read_finely(profile, Prior(uniform(0, 1)));
  EXPECT_NEAR(flat.quantile(0.05), 0.05, 3e-4);
  EXPECT_NEAR(flat.quantile(0.5), 0.5, 3e-4);
  UnknownSettings normal = uniform(0, 1);
  normal.prior = "normal";
  normal.mean = 0.5;
  normal.deviation = 0.1;
  const FineProfile bell = read_finely(profile, Prior(normal));
  EXPECT_NEAR(bell.quantile(0.95), 0.5 + 0.1 * 1.64485, 5e-4);
}

TEST(Weights, OfALogUniformPriorAreEvenInTheLogarithm) {
  UnknownSettings unknown = uniform(0.1, 10);
  unknown.prior = "log_uniform";
  const Profile profile{{{"gap", false, 0.0, 0.1}}, {point(0.1, -1), point(10, -1)}};
  EXPECT_NEAR(read_finely(profile, Prior(unknown)).quantile(0.5), 1.0, 3e-3);
  EXPECT_NEAR(Prior(unknown).spaced(3)[1], 1.0, 1e-12);
}

}  // namespace
}  // namespace unchannel::identification
