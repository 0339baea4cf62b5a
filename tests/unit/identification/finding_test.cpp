#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/random.hpp>
#include <unchannel/identification/finding.hpp>
#include <unchannel/identification/record.hpp>
#include <unchannel/identification/search.hpp>

namespace unchannel::identification {
namespace {

UnknownSettings settings(const std::string& constraint) {
  UnknownSettings unknown;
  unknown.parameter = "sigma";
  unknown.prior = "uniform";
  unknown.low = 0.2;
  unknown.high = 1.5;
  unknown.constraint = constraint;
  return unknown;
}

/// A profile on the grid of `unknown`, refined, of one statistic that is a function of the value.
template <class F>
Profile profile_of(const UnknownSettings& unknown, const Statistic& statistic, F&& discrepancy) {
  return search(unknown, {statistic},
                [&](double value, std::optional<double>) { return std::vector<std::vector<Discrepancy>>{{discrepancy(value)}}; });
}

const Statistic kGap{"gap", false, 0.1, 0.1};
const Statistic kOutside{"outside", true, 0.0, 0.1};

TEST(Finding, IsNotIdentifiableWhereNothingIsRejected) {
  const Finding finding = judge(profile_of(settings("none"), kGap, [](double) { return Discrepancy{0.0, 0.01}; }), settings("none"));
  EXPECT_EQ(finding.word, Word::kNotIdentifiable);
  EXPECT_NE(finding.remedy.find("unknown.constraint"), std::string::npos);
}

// White noise of deviation σ* on Gaussian signals: the least eigenvalue λ of the observations' covariance bounds σ. Any σ ≤ √λ is absorbed;
// beyond, the direction is wider than observed by σ/√λ − 1.
TEST(Finding, IsAnUpperLimitWhereGaussianSignalsAbsorbSmallerNoise) {
  const double least = std::sqrt(0.7 * 0.7 + 0.3 * 0.3);
  const auto gap = [&](double sigma) { return Discrepancy{std::max(0.0, sigma / least - 1.0), 0.01}; };
  const Finding finding = judge(profile_of(settings("none"), kGap, gap), settings("none"));
  EXPECT_EQ(finding.word, Word::kUpperLimit);
  EXPECT_TRUE(std::isnan(finding.low));
  EXPECT_NEAR(finding.high, least * (1.1 + 0.01 * 1.28155), 0.004);  // linear between points on both sides of a bend
}

TEST(Finding, IsALowerLimitWhereOnlySmallValuesAreRejected) {
  const Finding finding = judge(profile_of(settings("range"), kOutside,
                                           [](double sigma) {
                                             return Discrepancy{std::min(0.0, sigma - 0.6), 0.01};
                                           }),
                                settings("range"));
  EXPECT_EQ(finding.word, Word::kLowerLimit);
  EXPECT_NEAR(finding.low, 0.6 - 0.01 * 1.64485, 0.004);  // linear between points on both sides of a bend
  EXPECT_TRUE(std::isnan(finding.high));
}

TEST(Finding, IsAnIntervalWhereAConstraintRejectsBothSides) {
  const auto outside = [](double sigma) { return Discrepancy{sigma - 0.7, 0.02}; };
  const Finding finding = judge(profile_of(settings("signal_free"), kOutside, outside), settings("signal_free"));
  EXPECT_EQ(finding.word, Word::kInterval);
  EXPECT_NEAR(finding.low, 0.7 - 0.02 * 1.64485, 0.001);
  EXPECT_NEAR(finding.high, 0.7 + 0.02 * 1.64485, 0.001);
  EXPECT_NEAR(finding.estimate, 0.7, 0.001);
}

TEST(Finding, IsNeverAnIntervalWithoutAConstraint) {
  const auto both_sides = [](double sigma) { return Discrepancy{std::abs(sigma - 0.7), 0.01}; };
  const Finding finding = judge(profile_of(settings("none"), kGap, both_sides), settings("none"));
  EXPECT_EQ(finding.word, Word::kNotIdentifiable);
  EXPECT_NE(finding.reason.find("rejected"), std::string::npos);
}

TEST(Finding, IsAMismatchWhereEveryValueIsRejected) {
  const Finding finding = judge(profile_of(settings("signal_free"), kGap,
                                           [](double) {
                                             return Discrepancy{0.5, 0.01};
                                           }),
                                settings("signal_free"));
  EXPECT_EQ(finding.word, Word::kUnexplained);
}

// The hinge of the closed form above without signal in the worst direction: the edge is the true value.
TEST(Finding, OfTheLargestValueHoldsTheEdgeOfTheGap) {
  const auto gap = [](double sigma) { return Discrepancy{std::max(0.0, sigma / 0.7 - 1.0), 0.02}; };
  const Finding finding = judge(profile_of(settings("largest"), kGap, gap), settings("largest"));
  EXPECT_EQ(finding.word, Word::kInterval);
  EXPECT_NEAR(finding.estimate, 0.7, 1e-6);
  // The slope is 1/0.7: one standard error times 1.28155 below the edge, to the margin and its error above.
  EXPECT_NEAR(finding.low, 0.7 - 0.7 * 0.02 * 1.28155, 1e-3);
  EXPECT_NEAR(finding.high, 0.7 * (1.1 + 0.02 * 1.28155), 0.002);
}

TEST(Finding, OfThePriorAloneIsThePriorLessWhatTheGapRejects) {
  UnknownSettings unknown = settings("prior");
  unknown.prior = "normal";
  unknown.mean = 0.8;
  unknown.deviation = 0.1;
  const Finding free = judge(profile_of(unknown, kGap, [](double) { return Discrepancy{0.0, 0.01}; }), unknown);
  EXPECT_EQ(free.word, Word::kInterval);
  EXPECT_NEAR(free.low, 0.8 - 0.1 * 1.64485, 1e-3);
  EXPECT_NEAR(free.high, 0.8 + 0.1 * 1.64485, 1e-3);
  const auto gap = [](double sigma) { return Discrepancy{std::max(0.0, sigma / 0.7 - 1.0), 0.01}; };
  EXPECT_LT(judge(profile_of(unknown, kGap, gap), unknown).high, 0.85);
}

// Independent oracle without any training. N rows, K directions without signal: the observed root mean square is σ* √(χ²_NK/N), the
// simulated one σ √K, the error of the former σ √(1/2N). 1,000 data sets; coverage 0.9 has a standard error of 0.0095, and χ is not quite
// normal.
TEST(Finding, CoversTheTruthAsOftenAsItSays) {
  constexpr int kSets = 1000, kRows = 200, kFree = 2;
  const RandomKey key(7);
  UnknownSettings unknown = settings("signal_free");
  int covered = 0;
  for (int set = 0; set < kSets; ++set) {
    std::vector<float> noise(kRows * kFree);
    key.normal(static_cast<std::uint64_t>(set), 0, kRows * kFree, noise.data());
    double square = 0;
    for (const float value : noise) square += 0.49 * value * value / kRows;
    const auto outside = [&](double sigma) {
      return Discrepancy{sigma * std::sqrt(kFree) - std::sqrt(square), sigma * std::sqrt(0.5 / kRows)};
    };
    const Finding finding = judge(profile_of(unknown, kOutside, outside), unknown);
    ASSERT_EQ(finding.word, Word::kInterval);
    covered += finding.low <= 0.7 && finding.high >= 0.7 ? 1 : 0;
  }
  EXPECT_NEAR(covered / static_cast<double>(kSets), 0.9, 0.03);
}

TEST(Search, TrainsFromBelowAndNamesTheNearestPointBelow) {
  std::vector<std::pair<double, std::optional<double>>> calls;
  UnknownSettings unknown = settings("signal_free");
  unknown.points = 3;
  unknown.refinements = 1;
  search(unknown, {kOutside}, [&](double value, std::optional<double> neighbour) {
    calls.emplace_back(value, neighbour);
    return std::vector<std::vector<Discrepancy>>{{{value - 0.7, 0.1}}};
  });
  ASSERT_EQ(calls.size(), 5U);
  EXPECT_EQ(calls[0].second, std::nullopt);
  EXPECT_EQ(calls[1].second, 0.2);
  EXPECT_NEAR(calls[2].second.value(), 0.85, 1e-12);
  EXPECT_NEAR(calls[3].first, 0.7 - 0.164485, 1e-3);
  EXPECT_EQ(calls[3].second, 0.2);
  EXPECT_NEAR(calls[4].second.value(), 0.85, 1e-12);
}

TEST(Record, HoldsThePointsAndTheWord) {
  const UnknownSettings unknown = settings("signal_free");
  const Profile profile = profile_of(unknown, kOutside, [](double sigma) { return Discrepancy{sigma - 0.7, 0.02}; });
  const nlohmann::json json = to_json(profile, judge(profile, unknown), unknown);
  EXPECT_EQ(json["verdict"], "interval");
  EXPECT_EQ(json["points"].size(), profile.points.size());
  EXPECT_DOUBLE_EQ(json["points"][0]["z"][0], -25.0);
  const std::string text = table(profile, unknown);
  EXPECT_NE(text.find("rejected"), std::string::npos);
  EXPECT_EQ(discrepancy_from_json(to_json(Discrepancy{1.5, 0.5})).error, 0.5);
}

}  // namespace
}  // namespace unchannel::identification
