#include <gtest/gtest.h>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/logspace.h>
#include <ATen/ops/matmul.h>

#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/whitened_coordinates.hpp>

namespace unchannel::metrics {
namespace {

at::Tensor normals(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  at::Tensor values = at::empty({rows, columns}, at::kFloat);
  RandomKey(seed).normal(0, 0, static_cast<std::uint32_t>(rows * columns), values.mutable_data_ptr<float>());
  return values;
}

at::Tensor covariance(const at::Tensor& z_NQ) {
  const at::Tensor centred_NQ = z_NQ - z_NQ.mean(0);
  return centred_NQ.t().matmul(centred_NQ) / static_cast<double>(z_NQ.size(0));
}

TEST(WhitenedCoordinates, AreUncorrelatedOfUnitVarianceOnTheirRows) {
  at::set_num_threads(1);  // the tensors are too small for more
  for (const std::int64_t D : {6, 50, 700}) {  // all directions; leading and random ones; more elements than rows
    const at::Tensor y_ND = normals(400, D, 1) * at::logspace(0, -1, D) + 3;
    const WhitenedCoordinates coordinates(y_ND, 16);
    EXPECT_EQ(coordinates.count(), std::min<std::int64_t>(D, 16));
    const at::Tensor z_NQ = coordinates(y_ND);
    EXPECT_LT(z_NQ.mean(0).abs().max().item<double>(), 1e-6);
    EXPECT_LT((covariance(z_NQ) - at::eye(coordinates.count(), at::kDouble)).abs().max().item<double>(), 1e-6) << D;
  }
}

TEST(WhitenedCoordinates, SeeAWrongNoiseLevelBesideAStrongSignal) {
  const std::int64_t D = 200;
  at::Tensor y_ND = 0.1 * normals(1000, D, 2), other_ND = 0.12 * normals(1000, D, 3);
  y_ND.slice(1, 0, 2).add_(normals(1000, 2, 4));
  other_ND.slice(1, 0, 2).add_(normals(1000, 2, 5));
  // Signals in two directions hold a third of the variance; 14 of 16 coordinates see noise alone, each to 2 %. Leading directions are those
  // in which 1,000 rows of noise look largest: a spread of 1.45 on those rows, of 1 on others.
  const at::Tensor spread_Q = std::get<0>(WhitenedCoordinates(y_ND, 16)(other_ND).std(0).sort());
  EXPECT_NEAR(spread_Q.slice(0, 8).mean().item<double>(), 1.2, 0.04);
}

TEST(WhitenedCoordinates, ADirectionWithoutVarianceIsMeasuredAgainstTheFloor) {
  at::Tensor y_ND = normals(500, 3, 6);
  y_ND.select(1, 2).fill_(1);
  const WhitenedCoordinates coordinates(y_ND, 3);
  EXPECT_LT(coordinates(y_ND + 0.001).abs().max().item<double>(), 6);  // not the 1e-3/0 that a plain whitening gives
  EXPECT_EQ(WhitenedCoordinates(at::full({20, 3}, 2.0F), 3)(at::full({1, 3}, 2.0F)).abs().max().item<double>(), 0);
}

TEST(WhitenedCoordinates, RefuseFewOrBrokenRows) {
  EXPECT_THROW(WhitenedCoordinates(normals(7, 3, 1), 3), ShapeError);
  EXPECT_THROW(WhitenedCoordinates(normals(20, 3, 1), 3)(normals(5, 4, 1)), ShapeError);
  at::Tensor broken_ND = normals(20, 3, 1);
  broken_ND[3][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THROW(WhitenedCoordinates(broken_ND, 3), DataError);
}

}  // namespace
}  // namespace unchannel::metrics
