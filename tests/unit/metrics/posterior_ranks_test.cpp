#include <gtest/gtest.h>

#include <ATen/ops/stack.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/posterior_ranks.hpp>

#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;

TEST(PosteriorRanks, CountTheDrawsBelow) {
  const at::Tensor truth = at::tensor({0.5, -1.0}).view({1, 2}), draws = at::tensor({0.0, 0.0, 1.0, -2.0, 0.4, 3.0}).view({1, 3, 2});
  const at::Tensor ranks = posterior_ranks(truth, draws, RandomKey(1));
  EXPECT_EQ(ranks[0][0].item<int>(), 2);  // of 0, 1, 0.4
  EXPECT_EQ(ranks[0][1].item<int>(), 1);  // of 0, −2, 3
}

TEST(PosteriorRanks, BreakTiesEvenly) {
  constexpr std::int64_t kRows = 20000;
  const at::Tensor ranks = posterior_ranks(at::zeros({kRows, 1}), at::zeros({kRows, 3, 1}), RandomKey(1));
  for (int rank = 0; rank < 4; ++rank) EXPECT_NEAR(ranks.eq(rank).sum().item<double>() / kRows, 0.25, 0.016);  // five standard errors
}

TEST(PosteriorRanks, RefuseOtherShapesAndValues) {
  EXPECT_THROW(posterior_ranks(at::zeros({3, 2}), at::zeros({3, 2}), RandomKey(1)), ShapeError);
  EXPECT_THROW(posterior_ranks(at::full({1, 1}, NAN), at::zeros({1, 2, 1}), RandomKey(1)), DataError);
  EXPECT_THROW(inside_central_interval(at::zeros({1}), 9, 1.0), ConfigError);
  EXPECT_THROW(rank_test(at::zeros({5}), 9), ShapeError);
  EXPECT_THROW(rank_test(at::full({50}, 10), 9), ShapeError);
}

TEST(CentralInterval, OfUniformRanksHoldsExactlyItsProbability) {
  for (const std::int64_t samples : {9, 19, 64, 79}) {
    const at::Tensor every_rank = at::arange(samples + 1, at::kLong);
    for (const double level : {0.5, 0.68, 0.9}) EXPECT_NEAR(inside_central_interval(every_rank, samples, level).mean().item<double>(), level, 1e-12);
  }
  EXPECT_NEAR(inside_central_interval(at::arange(20, at::kLong), 19, 0.9)[0].item<double>(), 0.0, 1e-12);
  EXPECT_NEAR(inside_central_interval(at::arange(20, at::kLong), 19, 0.9)[1].item<double>(), 1.0, 1e-12);
}

TEST(RankTest, HasTheClosedFormsOfChiSquaredTables) {
  // Two bins of 60 and 40 in 100: χ² = 4, one degree of freedom: p = erfc(√2). Three of 50, 30, 40 in 120: χ² = 5, two degrees: p = exp(−2.5).
  const at::Tensor two = at::cat({at::zeros({60}), at::ones({40})});
  const RankTest first = rank_test(two, 1);
  EXPECT_NEAR(first.chi_squared, 4.0, 1e-12);
  EXPECT_NEAR(first.p_value, std::erfc(std::sqrt(2.0)), 1e-10);
  const RankTest second = rank_test(at::cat({at::zeros({50}), at::ones({30}), at::full({40}, 2)}), 2);
  EXPECT_NEAR(second.chi_squared, 5.0, 1e-12);
  EXPECT_NEAR(second.p_value, std::exp(-2.5), 1e-10);
}

TEST(RankTest, PassesExactGaussianPosteriorsAndRejectsShiftedOnes) {
  constexpr std::int64_t kRows = 2000, kDraws = 19;
  const at::Tensor truth = normals(kRows, 1, 1), draws = normals(kRows, kDraws, 2).unsqueeze(2);
  EXPECT_GT(rank_test(posterior_ranks(truth, draws, RandomKey(3)), kDraws).p_value, 0.01);
  EXPECT_LT(rank_test(posterior_ranks(truth + 0.3, draws, RandomKey(3)), kDraws).p_value, 1e-6);
}

TEST(Tarp, FindsAWrongCorrelationThatRanksOfElementsCannot) {
  // Truths with correlation 0.9, draws without: each element is right, both together are not.
  constexpr std::int64_t kRows = 4000, kDraws = 19;
  const at::Tensor n = normals(kRows, 2, 1);
  const at::Tensor truth = at::stack({n.select(1, 0), 0.9 * n.select(1, 0) + std::sqrt(0.19) * n.select(1, 1)}, 1);
  const at::Tensor draws = normals(kRows, 2 * kDraws, 2).view({kRows, kDraws, 2}), references = at::ones({kRows, 2}) * at::tensor({1.5, -1.5});
  EXPECT_GT(rank_test(posterior_ranks(truth, draws, RandomKey(3)).select(1, 1), kDraws).p_value, 0.01);
  EXPECT_LT(rank_test(tarp_ranks(truth, draws, references, RandomKey(4)), kDraws).p_value, 1e-6);
  EXPECT_GT(rank_test(tarp_ranks(n, draws, references, RandomKey(4)), kDraws).p_value, 0.01);
}

}  // namespace
}  // namespace unchannel::metrics
