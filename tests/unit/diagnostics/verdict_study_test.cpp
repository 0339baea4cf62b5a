// A small count of the study in docs/benchmarks/verdict.md, with seeds of its own.
#include <gtest/gtest.h>

#include "verdict_study.hpp"

namespace unchannel::verdict_study {
namespace {

using diagnostics::Word;

class VerdictStudy : public ::testing::TestWithParam<std::size_t> {};

TEST_P(VerdictStudy, SaysWhatTheRunIs) {
  const Case& study = cases().at(GetParam());
  const diagnostics::RunVerdict result = run(study, 9001);
  SCOPED_TRACE(study.name + ": " + result.verdict.reason);
  switch (study.expected) {
    case Expected::kConverged:
      EXPECT_EQ(result.verdict.word, Word::kConverged);
      break;
    case Expected::kUnexplained:
      EXPECT_EQ(result.verdict.word, Word::kUnexplained);
      break;
    case Expected::kNoClaim:
      EXPECT_NE(result.verdict.word, Word::kUnexplained);
      break;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, VerdictStudy, ::testing::Range<std::size_t>(0, 7));

}  // namespace
}  // namespace unchannel::verdict_study
