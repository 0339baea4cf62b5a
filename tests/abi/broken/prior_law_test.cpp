#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/conformance/prior_law.hpp>
#include <unchannel/conformance/verdict.hpp>

namespace unchannel::conformance {
namespace {

TEST(PriorLaw, ReadsNumbersParametersSumsAndProducts) {
  const PriorLaw law = parse_prior("uniform(a - a * b, 2 + -b)", {{"a", 4}, {"b", 0.25}});
  EXPECT_EQ(law.kind, PriorLaw::Kind::uniform);
  EXPECT_DOUBLE_EQ(law.a, 3);
  EXPECT_DOUBLE_EQ(law.b, 1.75);
  EXPECT_FALSE(law.valid());
  EXPECT_FALSE(parse_prior("other: a copy of x", {}).testable());
  EXPECT_FALSE(parse_prior("", {}).testable());
}

TEST(PriorLaw, RefusesWhatTheGrammarDoesNotHold) {
  for (const char* text : {"gamma(1, 2)", "uniform(1)", "uniform(1, c)", "normal(0, 1) x", "uniform((1, 2)", "uniform", "none of these"}) {
    EXPECT_THROW(parse_prior(text, {{"a", 1}}), CheckFailed) << text;
  }
}

TEST(PriorLaw, DistributionFunctionsHaveTheirKnownValues) {
  EXPECT_DOUBLE_EQ(parse_prior("uniform(2, 4)", {}).cdf(2.5), 0.25);
  EXPECT_NEAR(parse_prior("normal(1, 2)", {}).cdf(1 + 2 * 1.959963984540054), 0.975, 1e-12);  // the 97.5 % point of N(0, 1)
  EXPECT_NEAR(parse_prior("lognormal(0, 1)", {}).cdf(1.0), 0.5, 1e-15);
  EXPECT_NEAR(parse_prior("lognormal(0, 0.5)", {}).mean(), std::exp(0.125), 1e-15);
}

TEST(PriorLaw, KolmogorovSmirnovIsTheLargestGapToTheStaircase) {
  // Values 0.1, 0.4, 0.7 of uniform(0, 1): the staircase is 1/3, 2/3, 1 behind them; the largest gap is 1 − 0.7.
  EXPECT_NEAR(kolmogorov_smirnov({0.7, 0.1, 0.4}, parse_prior("uniform(0, 1)", {})), std::sqrt(3.0) * 0.3, 1e-12);
}

}  // namespace
}  // namespace unchannel::conformance
