#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/rand.h>
#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/ssim.hpp>

#include "golden/golden.hpp"

// Shape legend: N images · P planes · H, W height and width
namespace unchannel::metrics {
namespace {

/// The images of golden/make_golden.py, [2, 3, 14, 12].
at::Tensor images(double phase) {
  at::Tensor x = at::rand({2, 3, 14, 12}, at::kDouble);
  double* out = x.mutable_data_ptr<double>();
  for (int n = 0; n < 2; ++n)
    for (int p = 0; p < 3; ++p)
      for (int i = 0; i < 14; ++i)
        for (int j = 0; j < 12; ++j) *out++ = std::sin(0.9 * i + 0.4 * p + phase) * std::cos(0.7 * j - 0.3 * n) + 0.1 * i * (n + 1);
  return x;
}

TEST(StructuralSimilarity, AgreesWithScipy) {
  const at::Tensor ssim_N = structural_similarity(images(0.0), images(0.5), 2.5);
  EXPECT_NEAR(ssim_N[0].item<double>(), golden::kSsim0, 1e-10);
  EXPECT_NEAR(ssim_N[1].item<double>(), golden::kSsim1, 1e-10);
}

TEST(StructuralSimilarity, IsOneForEqualImagesAndSymmetric) {
  const at::Tensor same_N = structural_similarity(images(0.0), images(0.0), 2.5);
  EXPECT_NEAR(same_N.min().item<double>(), 1.0, 1e-12);
  const at::Tensor there_N = structural_similarity(images(0.0), images(0.7), 2.5), back_N = structural_similarity(images(0.7), images(0.0), 2.5);
  EXPECT_LT((there_N - back_N).abs().max().item<double>(), 1e-12);
  EXPECT_LT(there_N.max().item<double>(), 0.99);
}

TEST(StructuralSimilarity, RefusesWhatItsWindowDoesNotFit) {
  EXPECT_THROW(structural_similarity(at::rand({2, 1, 10, 20}), at::rand({2, 1, 10, 20}), 1.0), ShapeError);
  EXPECT_THROW(structural_similarity(at::rand({2, 1, 12, 12}), at::rand({2, 1, 12, 13}), 1.0), ShapeError);
  EXPECT_THROW(structural_similarity(images(0.0), images(0.0), 0.0), ConfigError);
}

}  // namespace
}  // namespace unchannel::metrics
