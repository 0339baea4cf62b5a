#include <gtest/gtest.h>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <cmath>
#include <unchannel/base/random.hpp>
#include <unchannel/diagnostics/law_contrast.hpp>

namespace unchannel::diagnostics {
namespace {

at::Tensor normals(std::int64_t rows, std::int64_t columns, std::uint64_t seed) {
  at::Tensor values = at::empty({rows, columns}, at::kFloat);
  RandomKey(seed).normal(0, 0, static_cast<std::uint32_t>(rows * columns), values.mutable_data_ptr<float>());
  return values.to(at::kDouble);
}

TEST(QuantileContrast, OfAShiftAndAStretchIsThatOfTheNormalLaw) {
  const at::Tensor x_NQ = normals(20000, 2, 1);
  at::Tensor y_NQ = x_NQ.clone();
  y_NQ.select(1, 0).add_(0.3);
  y_NQ.select(1, 1).mul_(1.2);
  const at::Tensor contrast_QJ = quantile_contrast(y_NQ, x_NQ);
  // ∫ Φ⁻¹(u) √3 (2u − 1) du = √(3/π) for the normal law (Hosking 1990); 20,000 draws estimate it to 0.7 %.
  EXPECT_NEAR(contrast_QJ[0][0].item<double>(), 0.3, 1e-9);
  EXPECT_NEAR(contrast_QJ[0][1].item<double>(), 0.0, 1e-9);
  EXPECT_NEAR(contrast_QJ[1][1].item<double>(), 0.2 * std::sqrt(3 / M_PI), 0.004);
  EXPECT_LE(contrast_QJ[1].square().sum().item<double>(), 0.04 * 1.03);  // Bessel: no more than W2² = 0.2²
}

TEST(QuantileContrast, SeesATailThatMeanAndWidthDoNot) {
  const at::Tensor x_NQ = normals(50000, 1, 2), heavy_NQ = normals(50000, 1, 3).sinh();
  const at::Tensor alike_NQ = heavy_NQ * (quantile_contrast(x_NQ, at::zeros({1, 1}, at::kDouble))[0][1] /
                                          quantile_contrast(heavy_NQ, at::zeros({1, 1}, at::kDouble))[0][1]);
  const at::Tensor contrast_QJ = quantile_contrast(alike_NQ, x_NQ);
  EXPECT_NEAR(contrast_QJ[0][1].item<double>(), 0, 1e-6);
  EXPECT_GT(contrast_QJ[0][3].item<double>(), 0.05);
}

TEST(ContrastFilter, KeepsWhatStandsOutAndCountsItsCoordinates) {
  at::Tensor contrast_QJ = 0.01 * normals(10, kShapes, 4);
  contrast_QJ[2][1] = 0.3;
  const ContrastFilter one = choose_filter(contrast_QJ, 0.01);
  EXPECT_NEAR(one.weight_QJ[2][1].item<double>(), 1, 0.01);
  EXPECT_NEAR(one.coordinates, 1, 0.01);
  contrast_QJ[7][0] = -0.3;
  const ContrastFilter two = choose_filter(contrast_QJ, 0.01);
  EXPECT_NEAR(two.coordinates, 2, 0.02);
  EXPECT_NEAR(two.along(contrast_QJ), std::sqrt(2.0) * 0.3, 0.01);
}

TEST(ContrastFilter, OfNoiseAloneIsStillOfUnitLength) {
  EXPECT_NEAR(choose_filter(1e-3 * normals(5, kShapes, 5), 0.01).weight_QJ.norm().item<double>(), 1, 1e-9);
}

TEST(ContrastCoordinates, GatherAWrongVarianceInOneOfThem) {
  const std::int64_t D = 8;
  const at::Tensor observed_ND = normals(8000, D, 6), direction_D = normals(1, D, 7)[0] / normals(1, D, 7).norm();
  const at::Tensor stretched_ND = normals(8000, D, 8);
  const at::Tensor simulated_ND = stretched_ND + 0.5 * stretched_ND.matmul(direction_D).unsqueeze(1) * direction_D;
  const ContrastCoordinates coordinates(observed_ND, simulated_ND);
  const at::Tensor width_Q = quantile_contrast(coordinates(simulated_ND), coordinates(observed_ND)).select(1, 1);
  EXPECT_NEAR(width_Q.max().item<double>(), 0.5 * std::sqrt(3 / M_PI), 0.04);  // three sampling errors of 8,000
  EXPECT_EQ(std::get<0>(width_Q.sort())[D - 2].item<double>() < 0.06, true);
}

}  // namespace
}  // namespace unchannel::diagnostics
