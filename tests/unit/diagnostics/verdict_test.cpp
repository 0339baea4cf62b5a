#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/diagnostics/trajectory.hpp>
#include <unchannel/diagnostics/verdict.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel::diagnostics {
namespace {

/// Evaluations of a run whose one coordinate goes as `gap` says, outer iterations 0, 0.5, …
std::vector<TrajectoryPoint> history(const std::function<double(double)>& gap, std::size_t count = 31) {
  std::vector<TrajectoryPoint> points;
  for (std::size_t k = 0; k < count; ++k) {
    const double outer = 0.5 * static_cast<double>(k), ripple = 0.001 * std::sin(7.0 * static_cast<double>(k));
    points.push_back(
        {20.0 * static_cast<double>(k), outer, 1.0, std::abs(gap(outer)), 0.02 + ripple, {gap(outer) + ripple}, {0.5 * ripple}});
  }
  return points;
}

Facts facts_of(const std::vector<TrajectoryPoint>& points, std::optional<GapTest> test) {
  Facts facts;
  const std::vector<TrajectoryPoint> window = outer_window(points, 1.0);
  std::vector<double> outer, gaps;
  for (const TrajectoryPoint& point : window) outer.push_back(point.outer);
  for (const TrajectoryPoint& point : points) gaps.push_back(point.gap);
  facts.contraction = fit_contraction(outer, law_of(window), {law_of({points.back()})[0], 1e-6});
  facts.gap_rise = rise_over_least(gaps);
  facts.test = test;
  facts.steps_per_outer = 40;
  facts.held_out_rows = 512;
  return facts;
}

GapTest tested(double gap, double fit_gap, double p_value, double power = 0.95) {
  return {.gap = gap, .fit_gap = fit_gap, .excess = gap - fit_gap, .error = 0.03, .p_value = p_value, .power = power, .coordinates = 1};
}

double settled(double) { return 0.01; }
double stuck(double) { return 0.3; }

TEST(Verdict, ASettledRunWithoutAGapConverged) {
  const Verdict verdict = judge(facts_of(history(settled), tested(0.01, 0.005, 0.4)));
  EXPECT_EQ(verdict.word, Word::kConverged) << verdict.reason;
  EXPECT_TRUE(verdict.remedy.empty());
}

TEST(Verdict, AConvergedRunWithATrifleThatManyRowsMakeSignificantStaysConverged) {
  EXPECT_EQ(judge(facts_of(history(settled), tested(0.03, 0.0, 0.01))).word, Word::kConverged);
}

TEST(Verdict, AGeometricSequenceIsStillContractingAndSaysHowLong) {
  const Verdict verdict = judge(facts_of(history([](double outer) { return 2 * std::pow(0.85, outer); }), tested(0.2, 0.15, 0.01)));
  EXPECT_EQ(verdict.word, Word::kStillContracting) << verdict.reason;
  // 2 · 0.85^15 = 0.175 remain; 0.05 are reached after ln(3.5)/−ln(0.85) = 7.7, so 8, iterations of 40 steps.
  EXPECT_NE(verdict.reason.find("about 8 more outer iterations"), std::string::npos) << verdict.reason;
  EXPECT_NE(verdict.remedy.find("320 more steps"), std::string::npos) << verdict.remedy;
}

TEST(Verdict, ASignificantGapAtRestIsTheSimulators) {
  const Verdict verdict = judge(facts_of(history(stuck), tested(0.3, 0.01, 0.01)));
  EXPECT_EQ(verdict.word, Word::kUnexplained) << verdict.reason;
  EXPECT_NE(verdict.remedy.find("noise level"), std::string::npos);
}

TEST(Verdict, AGapInOneOfManyCoordinatesIsTheSimulatorsOnceAllAreAtRest) {
  Facts facts = facts_of(history(stuck), tested(0.3, 0.01, 0.01));
  facts.contraction->closing_high = std::numeric_limits<double>::infinity();  // the gap of the early-stop rows is lost in their noise
  EXPECT_EQ(judge(facts).word, Word::kUnexplained);
  facts.contraction->ahead_high = 0.06;  // above half the margin
  EXPECT_NE(judge(facts).word, Word::kUnexplained);
}

TEST(Verdict, AGapThatStillShrinksIsNotTheSimulators) {
  EXPECT_EQ(judge(facts_of(history([](double outer) { return 2 * std::pow(0.85, outer); }), tested(0.3, 0.01, 0.01))).word,
            Word::kStillContracting);
}

TEST(Verdict, AGapBelowTheMarginIsNotTheSimulators) {
  EXPECT_NE(judge(facts_of(history(stuck), tested(0.09, 0.0, 0.01))).word, Word::kUnexplained);
}

TEST(Verdict, AGapThatIsNotSignificantIsNotTheSimulators) {
  EXPECT_EQ(judge(facts_of(history(stuck), tested(0.15, 0.0, 0.06))).word, Word::kCannotTell);
}

TEST(Verdict, AGapThatTheFitItselfShowsIsStalled) {
  EXPECT_EQ(judge(facts_of(history(stuck), tested(0.3, 0.25, 0.3))).word, Word::kStalled);
}

TEST(Verdict, AGapThatRisesAgainIsOverIterated) {
  EXPECT_EQ(judge(facts_of(history([](double outer) { return 0.05 + 0.002 * (outer - 5) * (outer - 5); }), tested(0.2, 0.15, 0.2))).word,
            Word::kOverIterated);
}

TEST(Verdict, RowsLearntByHeartAreOverIterated) {
  Facts facts = facts_of(history(settled), tested(0.01, 0.0, 0.5));
  facts.residual_rise = {.height = 0.2, .significant = true};
  facts.residual_excess = 0.2;
  EXPECT_EQ(judge(facts).word, Word::kOverIterated);
}

TEST(Verdict, WithoutPowerNothingIsClaimed) {
  const Verdict verdict = judge(facts_of(history(settled), tested(0.01, 0.0, 0.5, 0.6)));
  EXPECT_EQ(verdict.word, Word::kCannotTell);
  // Power 0.6: the difference stands out by 1.645 + 0.253 standard errors; 2.486 are needed: 512 (2.486/1.898)² = 878.
  EXPECT_NE(verdict.remedy.find("to about 900"), std::string::npos) << verdict.remedy;
}

TEST(Verdict, ADriftWithoutAnEndIsNotJudged) {
  EXPECT_EQ(judge(facts_of(history([](double outer) { return 0.5 - 0.02 * outer; }), tested(0.2, 0.15, 0.2))).word, Word::kCannotTell);
}

TEST(Verdict, TheObstacleIsNamed) {
  Facts facts;
  facts.obstacle = "3 evaluations";
  EXPECT_EQ(judge(facts).reason, "3 evaluations");
  EXPECT_STREQ(to_string(judge(facts).word), "cannot tell");
}

TEST(OuterWindow, LeavesOutTheStartAndTheEndOfTheLearningRate) {
  std::vector<TrajectoryPoint> points = history(settled);
  for (std::size_t k = 20; k < points.size(); ++k) points[k].learning_rate = 0.1;
  const std::vector<TrajectoryPoint> window = outer_window(points, 1.0);
  EXPECT_GE(window.front().outer, 0.5 + (9.5 - 0.5) / 3);
  EXPECT_EQ(window.back().outer, 9.5);
}

TEST(Trajectory, ReadsEvaluationsAndPassesOverOtherLines) {
  const test_support::TempDir folder;
  const std::string figures =
      R"("learning_rate":0.5,"gap_excess_relative":0.1,"held_out_residual_rms":1.1,"training_rows_residual_rms":1.0,)";
  std::ofstream(folder / "metrics.jsonl") << R"({"step":0,"outer_iterations":0,)" << figures
                                          << R"("law_mean_gap":[0.1,0.2],"law_spread_gap":[0,-0.1]})" << '\n'
                                          << R"({"step":5,"outer_iterations":1,)" << figures
                                          << R"("law_mean_gap":[null,0.2],"law_spread_gap":[0,0]})" << '\n'
                                          << R"({"step":5,"split":"test","gap_excess_relative":0.1})" << '\n'
                                          << R"({"step":5,"verdict":"converged"})"
                                          << "\n{\"st";
  const std::vector<TrajectoryPoint> points = read_trajectory(folder / "metrics.jsonl");
  ASSERT_EQ(points.size(), 1U);
  EXPECT_NEAR(points[0].residual_excess, 0.1, 1e-12);
  EXPECT_EQ(law_of(points).sizes(), (std::vector<std::int64_t>{1, 2, 2}));
}

TEST(RiseOverLeast, NoiseIsNoRise) {
  std::vector<double> flat, rising;
  for (int k = 0; k < 40; ++k) {
    flat.push_back(0.1 + 0.01 * std::sin(100.0 * k * k));
    rising.push_back(0.1 + 0.01 * std::sin(100.0 * k * k) + (k > 20 ? 0.01 * (k - 20) : 0));
  }
  EXPECT_FALSE(rise_over_least(flat).significant);
  EXPECT_TRUE(rise_over_least(rising).significant);
  EXPECT_NEAR(rise_over_least(rising).height, 0.19, 0.03);
  EXPECT_FALSE(rise_over_least({1, 2, 3}).significant);
}

}  // namespace
}  // namespace unchannel::diagnostics
