#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/baselines/tikhonov.hpp>

#include "blur_channel.hpp"

namespace unchannel::baselines {
namespace {

using baselines_test::BlurChannel;
using baselines_test::normals;

constexpr std::int64_t kD = 40;

// Second difference with reflecting ends, written as a matrix.
at::Tensor roughness_matrix() {
  at::Tensor L = at::zeros({kD, kD}, at::kDouble);
  for (std::int64_t d = 0; d < kD; ++d) {
    L[d][d] = (d == 0 || d == kD - 1) ? -1 : -2;
    if (d > 0) L[d][d - 1] = 1;
    if (d < kD - 1) L[d][d + 1] = 1;
  }
  return L;
}

TEST(Tikhonov, SolvesTheDenseNormalEquationsObjectByObject) {
  const BlurChannel channel(kD, 6.0, 0.1);
  const at::Tensor gain = at::tensor({0.5F, 1.0F, 2.0F}), y = normals(3, kD, 1) + 4;
  at::Tensor ivar = normals(3, kD, 2).square() + 0.1;
  ivar[1].slice(0, 10, 20).zero_();  // a masked stretch
  const Tikhonov solver(channel, {{"gain", gain}}, y, ivar, {.max_iterations = 2000, .tolerance = 1e-6});
  const double strength = 3.0;
  const at::Tensor x = solver.solve(strength);
  const at::Tensor L = roughness_matrix(), blur = gaussian_line_spread(kD, 6.0).matrix_MD;
  for (std::int64_t b = 0; b < 3; ++b) {
    const at::Tensor A = gain[b].to(at::kDouble) * blur, W = ivar[b].diag();
    const at::Tensor normal = at::matmul(at::matmul(A.t(), W), A) + strength * at::matmul(L.t(), L);
    const at::Tensor expected = at::linalg_solve(normal, at::matmul(at::matmul(A.t(), W), y[b] - 0.5));
    // Relative gradient 1e-6 times a condition number of about 1e3.
    EXPECT_LT((x[b] - expected).norm().item<double>(), 5e-3 * expected.norm().item<double>()) << b;
  }
}

TEST(CosineBasis, IsOrthonormalAndMakesTheCurvatureDiagonal) {
  for (const std::vector<std::int64_t>& shape : {std::vector<std::int64_t>{24}, std::vector<std::int64_t>{2, 5, 7}}) {
    const CosineBasis basis(shape);
    const at::Tensor x = normals(3, basis.size(), 6).to(at::kFloat);
    EXPECT_LT((basis.signals(basis.coefficients(x)) - x).abs().max().item<double>(), 1e-5);
    const at::Tensor twice = basis.curvature(basis.curvature(x));
    const at::Tensor expected = basis.signals(basis.coefficients(x) * basis.squared_curvature_D());
    EXPECT_LT((twice - expected).abs().max().item<double>(), 1e-4);  // float32, eigenvalues up to 64
  }
}

TEST(CosineBasis, SeesNoCurvatureInAFlatImageAndItsOwnInARidge) {
  const CosineBasis basis({1, 4, 6});
  EXPECT_EQ(basis.curvature(at::ones({1, 24})).abs().max().item<double>(), 0.0);
  at::Tensor point = at::zeros({1, 24});
  point[0][1 * 6 + 2] = 1.0;
  const at::Tensor image = basis.curvature(point).view({4, 6});
  EXPECT_EQ(image[1][2].item<float>(), -4.0F);
  EXPECT_EQ(image[0][2].item<float>() + image[2][2].item<float>() + image[1][1].item<float>() + image[1][3].item<float>(), 4.0F);
  EXPECT_THROW(CosineBasis({3, 4}), ConfigError);
}

TEST(Tikhonov, ConvergesInAFewStepsForAConvolution) {
  const BlurChannel channel(kD, 6.0, 0.1);
  const at::Tensor y = normals(4, kD, 3) + 4, ones = at::ones({4}, at::kFloat);
  const Tikhonov solver(channel, {{"gain", ones}}, y, at::full({4, kD}, 100.0, at::kDouble), {.max_iterations = 10, .tolerance = 1e-4});
  for (double strength : {1e-2, 1.0, 1e4}) {
    solver.solve(strength);
    EXPECT_LT(solver.last_residual(), 1e-4) << strength;
  }
}

TEST(Tikhonov, StrongSmoothingLeavesTheMeanLevel) {
  const BlurChannel channel(kD, 3.0, 0.1);
  const at::Tensor y = normals(2, kD, 4) + 4;
  const Tikhonov solver(channel, {{"gain", at::ones({2}, at::kFloat)}}, y, at::ones({2, kD}, at::kDouble));
  const at::Tensor x = solver.solve(1e9);
  EXPECT_LT((x - (y.mean(1, true) - 0.5)).abs().max().item<double>(), 1e-2);  // constants are the null space of the roughness
}

TEST(Tikhonov, TunedStrengthBeatsItsNeighboursOnTheTruth) {
  const BlurChannel channel(kD, 4.0, 0.3);
  const at::Tensor truth = (4 + (at::arange(kD, at::kFloat) / 5).sin()).unsqueeze(0).expand({30, kD}).contiguous();
  const at::Tensor y = channel.simulate(truth, {{"gain", at::ones({30}, at::kFloat)}}, RandomKey(5), at::arange(30, at::kLong));
  const Tikhonov solver(channel, {{"gain", at::ones({30}, at::kFloat)}}, y, at::full({30, kD}, 1 / 0.09, at::kDouble));
  const TunedStrength tuned = tune_on_truth(solver, truth);
  for (double error : tuned.tried_rmse) EXPECT_LE(tuned.rmse, error);
  EXPECT_LT(tuned.rmse, 0.15);  // half of the noise
  EXPECT_GT(tuned.strength, 0.01);
  EXPECT_LT(tuned.strength, 1e7);
}

TEST(Tikhonov, BadInputIsNamed) {
  const BlurChannel channel(kD, 4.0, 0.3);
  const at::Tensor y = at::zeros({2, kD}), ivar = at::ones({2, kD});
  EXPECT_THROW(Tikhonov(channel, {{"gain", at::ones({3}, at::kFloat)}}, y, ivar), ShapeError);
  EXPECT_THROW(Tikhonov(channel, {{"gain", at::ones({2}, at::kFloat)}}, y, -ivar), DataError);
  const Tikhonov solver(channel, {{"gain", at::ones({2}, at::kFloat)}}, y, ivar);
  EXPECT_THROW(solver.solve(-1), ConfigError);
  EXPECT_THROW(tune_on_truth(solver, y, 1, 0.1), ConfigError);
}

}  // namespace
}  // namespace unchannel::baselines
