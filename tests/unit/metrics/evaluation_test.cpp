#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unchannel/metrics/pixel_errors.hpp>

#include "samples.hpp"

namespace unchannel::metrics {
namespace {

using metrics_test::normals;

TEST(Evaluation, CollectsTheFiguresOfTheSingleFunctions) {
  const at::Tensor truth = normals(200, 10, 1), restored = 0.8 * truth + 0.1 * normals(200, 10, 2);
  const Evaluation all = evaluate({.restored_ND = restored, .truth_ND = truth});
  EXPECT_NEAR(all.rmse.value, rmse(restored, truth), 1e-12);
  EXPECT_NEAR(all.psnr_db, psnr_db(restored, truth, value_range(truth)), 1e-9);
  EXPECT_NEAR(all.spread_error->value, spread_error(restored, truth), 1e-9);
  EXPECT_NEAR(*all.energy_distance, energy_distance(restored, truth, {.paired = true}), 1e-12);
  EXPECT_TRUE(all.lines.empty());
  EXPECT_FALSE(all.rmse_noise_subtracted.has_value());
}

TEST(Evaluation, MaskedPixelsAndEmptyObjectsAreLeftOut) {
  at::Tensor truth = at::zeros({3, 4}), restored = at::ones({3, 4}), valid = at::ones({3, 4}, at::kByte);
  truth[0][0] = std::numeric_limits<float>::quiet_NaN();
  restored[0][1] = 3;
  valid[0][0] = 0;
  valid[2].zero_();
  const Evaluation result = evaluate({.restored_ND = restored, .truth_ND = truth, .valid_ND = valid, .data_range = 1});
  EXPECT_EQ(result.objects, 2);
  EXPECT_NEAR(result.rmse.value, std::sqrt((9 + 1 + 1 + 4) / 7.0), 1e-12);
  EXPECT_NEAR(result.valid_share, 7.0 / 8, 1e-12);
  EXPECT_FALSE(result.spread_error.has_value());
  EXPECT_THROW(evaluate({.restored_ND = restored, .truth_ND = truth, .valid_ND = valid * 0}), DataError);
}

TEST(Evaluation, ATruthWithAConstantPixelHasNoSpreadErrorAndAllOtherFigures) {
  const at::Tensor truth = normals(50, 10, 1), restored = 0.8 * truth;
  truth.select(1, 3).fill_(-1.0);
  const Evaluation all = evaluate({.restored_ND = restored, .truth_ND = truth});
  EXPECT_FALSE(all.spread_error.has_value());
  EXPECT_FALSE(all.spread_bias.has_value());
  EXPECT_TRUE(all.energy_distance.has_value());
  EXPECT_NEAR(all.rmse.value, rmse(restored, truth), 1e-12);
}

TEST(Evaluation, TheReferencesOwnNoiseComesOffTheError) {
  const at::Tensor signal = normals(2000, 10, 3), noise = 0.5 * normals(2000, 10, 4), error = 0.3 * normals(2000, 10, 5);
  const Evaluation result = evaluate({.restored_ND = signal + error, .truth_ND = signal + noise, .truth_variance_ND = at::full({2000, 10}, 0.25)});
  EXPECT_NEAR(*result.rmse_noise_subtracted, 0.3, 0.02);  // s.e. of a mean of 20,000 squares of variance 0.34, over 2·0.3: 0.006
}

TEST(Evaluation, AnErrorBelowTheReferencesOwnNoiseIsNullInJson) {
  const at::Tensor truth = normals(20, 10, 3);
  const Evaluation result = evaluate({.restored_ND = truth, .truth_ND = truth, .truth_variance_ND = at::full({20, 10}, 0.25)});
  EXPECT_TRUE(std::isnan(*result.rmse_noise_subtracted));
  EXPECT_TRUE(nlohmann::json::parse(to_json(result).dump()).at("rmse_truth_noise_subtracted_data_units").is_null());
}

TEST(Evaluation, JsonKeysCarryUnitsAndBadNumbersBecomeNull) {
  const at::Tensor truth = normals(10, 6, 6);
  const nlohmann::json json = nlohmann::json::parse(to_json(evaluate({.restored_ND = truth, .truth_ND = truth})).dump());
  EXPECT_EQ(json.at("rmse_data_units"), 0.0);
  EXPECT_TRUE(json.at("psnr_db").is_null());  // infinite
  EXPECT_TRUE(json.contains("excess_sliced_w2_data_units"));
}

}  // namespace
}  // namespace unchannel::metrics
