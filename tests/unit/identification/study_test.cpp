// A small count of the study in docs/benchmarks/uncertainty.md, with a seed of its own.
#include <gtest/gtest.h>

#include "study.hpp"

namespace unchannel::identification_study {
namespace {

using identification::Word;

TEST(IdentificationStudy, GaussianSignalsLeaveOnlyAnUpperLimitOfTheNoise) {
  const Case& study = case_named("noise, Gaussian signals, none");
  const Outcome outcome = run(study, 9001);
  EXPECT_EQ(outcome.finding.word, Word::kUpperLimit) << outcome.finding.reason;
  EXPECT_GT(outcome.finding.high, study.truth);
}

TEST(IdentificationStudy, ASignalFreeSubspaceGivesANarrowInterval) {
  const Case& study = case_named("noise, Gaussian signals, signal_free");
  const Outcome outcome = run(study, 9001);
  EXPECT_EQ(outcome.finding.word, Word::kInterval) << outcome.finding.reason;
  EXPECT_LT(outcome.finding.high - outcome.finding.low, 0.3 * study.truth);
  // 1,600 numbers without signal give the deviation to 1.8 %: four standard errors.
  EXPECT_NEAR(outcome.finding.estimate, study.truth, 4 * 0.018 * study.truth);
}

}  // namespace
}  // namespace unchannel::identification_study
