#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/bootstrap.hpp>
#include <unchannel/metrics/pixel_errors.hpp>

#include "golden/golden.hpp"
#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;
using metrics_test::wave_sample;

TEST(PixelErrors, AgreeWithNumpy) {
  const at::Tensor a = wave_sample(60, 0.0), c = wave_sample(60, 0.4) * 1.1;
  EXPECT_NEAR(rmse(a, c), golden::kRmse, 1e-12);
  EXPECT_NEAR(mae(a, c), golden::kMae, 1e-12);
  EXPECT_NEAR(spread_error(a, c), golden::kSpreadError, 1e-12);
}

TEST(PixelErrors, PsnrOfAHalfRangeErrorIsSixDecibel) {
  const at::Tensor truth = at::zeros({3, 4});
  EXPECT_NEAR(psnr_db(truth + 0.5, truth, 1.0), 20 * std::log10(2.0), 1e-12);
  EXPECT_TRUE(std::isinf(psnr_db(truth, truth, 1.0)));
  EXPECT_THROW(psnr_db(truth, truth, 0.0), ConfigError);
}

TEST(PixelErrors, MaskedPixelsDoNotCount) {
  at::Tensor restored = at::zeros({2, 3}), valid = at::ones({2, 3}, at::kByte);
  restored[0][1] = std::numeric_limits<float>::quiet_NaN();
  restored[0][2] = 2;
  valid[0][1] = 0;
  const at::Tensor error = squared_error_per_object(restored, at::zeros({2, 3}), valid);
  EXPECT_DOUBLE_EQ(error[0].item<double>(), 2.0);  // (0 + 4) / 2 pixels
  EXPECT_DOUBLE_EQ(error[1].item<double>(), 0.0);
}

TEST(PixelErrors, UniformShrinkageIsItsOwnSpreadErrorAndBias) {
  const at::Tensor truth = normals(500, 20, 1) + 100;
  const at::Tensor mean = truth.mean(0);
  EXPECT_NEAR(spread_error(mean + 0.9 * (truth - mean), truth), 0.1, 1e-5);  // float32 rounding of values near 100: 1e-5 of the spread
  EXPECT_NEAR(spread_bias(mean + 0.9 * (truth - mean), truth), -0.1, 1e-5);
}

TEST(PixelErrors, BadInputIsNamed) {
  const at::Tensor x = at::zeros({3, 4});
  EXPECT_THROW(rmse(x, at::zeros({3, 5})), ShapeError);
  EXPECT_THROW(rmse(x, at::zeros({4, 4})), ShapeError);
  EXPECT_THROW(rmse(at::full({3, 4}, std::numeric_limits<double>::quiet_NaN()), x), DataError);
  EXPECT_THROW(spread_error(x, x), NumericalError);
}

TEST(Bootstrap, StandardErrorOfAMeanIsSpreadOverRootN) {
  const at::Tensor values = normals(1000, 1, 2).squeeze(1);
  const Estimate estimate = bootstrap_mean(values, default_metric_key(), 400);
  EXPECT_NEAR(estimate.value, values.to(at::kDouble).mean().item<double>(), 1e-12);
  const double expected = values.std().item<double>() / std::sqrt(1000.0);
  EXPECT_NEAR(estimate.standard_error, expected, 0.15 * expected);  // 400 resamples: s.d. of the s.d. is 1/√800 = 3.5 %; four of them
}

TEST(Bootstrap, RmseErrorFollowsTheDeltaMethod) {
  const at::Tensor squares = normals(2000, 50, 3).square().mean(1);
  const Estimate estimate = bootstrap_rmse(squares, default_metric_key(), 400);
  // r = √m, so s.e.(r) = s.e.(m) / 2r; here m ≈ 1 with variance 2/50.
  const double expected = std::sqrt(2.0 / 50 / 2000) / 2;
  EXPECT_NEAR(estimate.standard_error, expected, 0.2 * expected);
}

TEST(Bootstrap, SpreadErrorHasTheValueOfThePlainFormula) {
  const at::Tensor truth = normals(300, 6, 4), restored = 0.8 * truth + 0.1 * normals(300, 6, 5);
  const Estimate estimate = bootstrap_spread_error(restored, truth);
  EXPECT_NEAR(estimate.value, spread_error(restored, truth), 1e-10);
  EXPECT_GT(estimate.standard_error, 0);
}

TEST(Bootstrap, TheSpreadAgainstALawIsThatOfTheObjectsOverTheLawsOwn) {
  const at::Tensor restored = 100 + 0.5 * normals(4000, 6, 4);
  const Estimate estimate = bootstrap_spread_error_of_law(restored, at::full({6}, 1.0, at::kDouble));
  // A sample standard deviation of 4,000 normals is good to 1/√8000 = 1.1 % of itself.
  EXPECT_NEAR(estimate.value, 0.5, 0.02);
  const at::Tensor own_D = pixel_spread(restored);
  EXPECT_NEAR(bootstrap_spread_error_of_law(restored, own_D).value, 0, 1e-9);
  EXPECT_THROW(bootstrap_spread_error_of_law(restored, own_D.slice(0, 1)), ShapeError);
}

TEST(Bootstrap, IsAPureFunctionOfItsKey) {
  const at::Tensor values = normals(100, 1, 6).squeeze(1);
  EXPECT_EQ(bootstrap_mean(values).standard_error, bootstrap_mean(values).standard_error);
  EXPECT_NE(bootstrap_mean(values).standard_error, bootstrap_mean(values, RandomKey(7)).standard_error);
}

}  // namespace
}  // namespace unchannel::metrics
