#include <gtest/gtest.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full_like.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/random.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unchannel/report/comparison.hpp>
#include <unchannel/report/tensor_ops.hpp>

namespace unchannel::report {
namespace {

constexpr std::int64_t kN = 64, kD = 24;

at::Tensor normals(std::int64_t first, std::int64_t rows, std::uint64_t key) {
  at::Tensor values = at::empty({rows, kD}, at::kFloat);
  for (std::int64_t i = 0; i < rows; ++i) {
    RandomKey(key).normal(static_cast<std::uint64_t>(first + i), 0, kD, values.mutable_data_ptr<float>() + i * kD);
  }
  return values;
}

ComparisonData truth_only() {
  ComparisonData data;
  data.truth_ND = normals(0, kN, 1);
  return data;
}

const Row& row_named(const Table& table, const std::string& name) {
  for (const Row& row : table.rows) {
    if (row.cells.at(0) == name) return row;
  }
  throw std::out_of_range(name);
}

TEST(Compare, AConstantOffsetIsTheRmseAndLeavesTheSpread) {
  const ComparisonData data = truth_only();
  const ComparisonRow row = compare({"shifted", "", data.truth_ND + 0.5, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_NEAR(row.rmse->value, 0.5, 1e-6);
  EXPECT_NEAR(row.rmse->standard_error, 0, 1e-6);
  EXPECT_NEAR(row.spread_error->value, 0, 1e-6);
  EXPECT_EQ(row.objects, kN);
  EXPECT_FALSE(row.rmse_over_draw.has_value());
  EXPECT_FALSE(row.lyman_alpha_within_500_km_s.has_value());
}

TEST(Compare, TheRatioToTheDrawIsThatOfTheErrors) {
  ComparisonData data = truth_only();
  data.exact_draw_ND = data.truth_ND + 0.25;
  const ComparisonRow row = compare({"m", "", data.truth_ND + 0.5, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_NEAR(row.rmse_over_draw->value, 2.0, 1e-5);
  const ComparisonRow draw = compare({"draw", "", data.exact_draw_ND, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_DOUBLE_EQ(draw.rmse_over_draw->value, 1.0);
  EXPECT_DOUBLE_EQ(draw.rmse_over_draw->standard_error, 0.0);
}

TEST(Compare, AShrunkenSpreadHasItsSizeAndSign) {
  const ComparisonData data = truth_only();
  const ComparisonRow row = compare({"half", "", data.truth_ND * 0.5, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_NEAR(row.spread_error->value, 0.5, 1e-6);
  EXPECT_NEAR(*row.spread_bias, -0.5, 1e-6);
}

TEST(Compare, AMethodWithoutResultKeepsItsReason) {
  const ComparisonData data = truth_only();
  EXPECT_EQ(compare({"oracle", "", {}, "no run given", false}, data, SignalLaw(data.truth_ND)).reason, "no run given");
  EXPECT_NE(compare({"bad", "", at::full_like(data.truth_ND, NAN), "", false}, data, SignalLaw(data.truth_ND)).reason, "");
}

TEST(Compare, RestorationsOfOtherObjectsAreRefused) {
  const ComparisonData data = truth_only();
  EXPECT_THROW(compare({"m", "", data.truth_ND.slice(0, 0, 3), "", false}, data, SignalLaw(data.truth_ND)), ShapeError);
}

TEST(Compare, APeakAtItsPlaceIsWithin500KmPerSecond) {
  ComparisonData data = truth_only();
  data.wavelength_D = (at::arange(kD, at::kDouble) * 0.008).add_(std::log(1130.0)).exp();  // 2,400 km/s a pixel, rest frame
  data.truth_ND = data.truth_ND * 0.01;
  at::Tensor restored = data.truth_ND.clone();
  data.truth_ND.select(1, 9).add_(5);
  restored.slice(0, 0, kN / 4).select(1, 9).add_(5);
  restored.slice(0, kN / 4).select(1, 10).add_(5);
  const ComparisonRow row = compare({"m", "", restored, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_DOUBLE_EQ(row.lyman_alpha_within_500_km_s->value, 0.25);
  EXPECT_EQ(row.lyman_alpha_objects, kN);
  EXPECT_NEAR(*row.lyman_alpha_median_velocity_km_s, 0.008 * 299792.458, 1.0);
}

TEST(Compare, EveryLineInCoverageHasItsPlaceHeightAndCount) {
  ComparisonData data = truth_only();
  data.wavelength_D =
      (at::arange(kD, at::kDouble) * 0.02).add_(std::log(1130.0)).exp();  // rest frame, 1130 to 1790 angstrom, 6,000 km/s a pixel
  data.truth_ND = data.truth_ND * 1e-3;
  at::Tensor restored = data.truth_ND.clone();
  const std::int64_t lyman = 4, carbon = 15;  // 1224 and 1525 angstrom, in the windows of Ly alpha and C IV
  data.truth_ND.select(1, lyman).fill_(4);
  data.truth_ND.select(1, carbon).fill_(2);
  restored.select(1, lyman).fill_(3);
  restored.select(1, carbon + 1).fill_(3);
  const ComparisonRow row = compare({"m", "", restored, "", false}, data, SignalLaw(data.truth_ND));
  const Table table = line_table({row});
  ASSERT_EQ(table.rows.size(), 3U);  // Si IV is in coverage, too
  EXPECT_EQ(table.rows[0].cells, (std::vector<std::string>{"Ly alpha", "m", "64", "100 %", "0", "-25.0 %", "25.0 %"}));
  EXPECT_EQ(table.rows[2].cells, (std::vector<std::string>{"C IV", "m", "64", "0 %", "5996", "+50.0 %", "50.0 %"}));
  EXPECT_EQ(table.rows[0].cells.size(), table.columns.size());
  const nlohmann::json json = comparison_json({row});
  EXPECT_EQ(json.at(0).at("lines").at("C_IV").at("objects_in_coverage").get<int>(), kN);
  EXPECT_NEAR(json.at(0).at("lines").at("C_IV").at("median_abs_velocity_error_km_s").get<double>(), 0.02 * 299792.458, 1);
}

TEST(LineTable, HasNoRowsWhereNoLineIsInCoverage) {
  const ComparisonData data = truth_only();
  EXPECT_TRUE(line_table({compare({"m", "", data.truth_ND, "", false}, data, SignalLaw(data.truth_ND))}).rows.empty());
}

TEST(SignalLaw, AFreshSampleOfTheLawHasHardlyAnyExcessAndAWiderOneItsOwn) {
  const auto draw = [](std::int64_t first, std::int64_t count) { return normals(first, count, 7); };
  const std::int64_t rows = 256;
  const SignalLaw law(normals(0, rows, 1), {draw, 2048, rows});
  EXPECT_EQ(law.reference_rows(), 2048);
  // W2 between N(0, 1) and N(0, 4) on every direction is 1; the floor's scatter is about 1/√rows.
  EXPECT_NEAR(law.excess_sliced_w2(2 * normals(0, rows, 3)), 1.0, 0.06);
  EXPECT_LT(law.excess_sliced_w2(normals(0, rows, 3)), 0.06);
}

TEST(SignalLaw, HasTheExcessThatEvaluateHasOnTheSameReference) {
  const at::Tensor reference = normals(0, 1000, 7), restored = 1.3 * normals(0, kN, 3);
  const auto draw = [&](std::int64_t first, std::int64_t count) { return reference.slice(0, first, first + count); };
  const std::int64_t clean = 1000 / 3 / kN * kN;
  const SignalLaw law(normals(0, kN, 1), {draw, 1000 - clean, clean});
  EXPECT_NEAR(law.excess_sliced_w2(restored), metrics::excess_against(reference, restored).excess, 1e-6);
}

TEST(Compare, TheEnergyDistanceIsZeroForTheLawItselfAndThatOfAShiftForAShiftedOne) {
  ComparisonData data = truth_only();
  data.truth_ND = normals(0, 1000, 1);
  const auto energy = [&](const at::Tensor& restored) { return *compare({"m", "", restored, "", false}, data, SignalLaw(data.truth_ND)).energy_distance; };
  EXPECT_NEAR(energy(normals(0, 1000, 2)), 0.0, 0.02);
  // Far apart, 2 E|X - Y| outweighs the rest, which does not change: 2 (20 √D) to first order.
  const double far = 20.0 * std::sqrt(static_cast<double>(data.truth_ND.size(1)));
  const double between = std::sqrt(2.0 * static_cast<double>(data.truth_ND.size(1)));
  EXPECT_NEAR(energy(normals(0, 1000, 2) + 20.0), 2 * std::sqrt(far * far + between * between) - 2 * between, 0.02 * far);
}

TEST(SignalLaw, ASampleThatGivesTheSpreadReplacesThatOfTheTruth) {
  const ComparisonData data = truth_only();
  const at::Tensor offset = 1000 + 2 * normals(0, 4096, 7);  // a mean that is large against the spread
  const auto draw = [&](std::int64_t first, std::int64_t count) { return offset.slice(0, first, first + count); };
  const SignalLaw law(data.truth_ND, {draw, 4096 - kN, kN, true});
  const ComparisonRow row = compare({"m", "", data.truth_ND, "", false}, data, law);
  // Standard deviation 1 against 2, each of 64 objects good to 1/√128 = 9 %: bias −0.5 ± 0.01 over 24 pixels.
  EXPECT_NEAR(*row.spread_bias, -0.5, 0.04);
  EXPECT_NEAR(row.spread_error->value, 0.5, 0.04);
}

ComparisonData image_data() {
  ComparisonData data;
  at::Tensor truth = at::empty({kN, 2 * 12 * 11}, at::kFloat);
  for (std::int64_t i = 0; i < kN; ++i) RandomKey(5).normal(static_cast<std::uint64_t>(i), 0, 264, truth.mutable_data_ptr<float>() + i * 264);
  data.truth_ND = truth;
  data.image_shape = {2, 12, 11};
  return data;
}

TEST(Compare, ImagesHaveThePsnrOfTheirRmseAndTheirSimilarity) {
  const ComparisonData data = image_data();
  const SignalLaw law(data.truth_ND);
  const ComparisonRow row = compare({"m", "", data.truth_ND + 0.5, "", false}, data, law);
  const double range = data.truth_ND.max().item<double>() - data.truth_ND.min().item<double>();
  EXPECT_NEAR(row.psnr_db->value, 20 * std::log10(range / 0.5), 1e-5);
  EXPECT_LT(row.ssim->value, 0.9);
  const ComparisonRow same = compare({"same", "", data.truth_ND, "", false}, data, law);
  EXPECT_NEAR(same.ssim->value, 1, 1e-12);
  const Table table = comparison_table({row, same});
  EXPECT_EQ(table.columns.at(2).heading, "PSNR [dB]");
  EXPECT_EQ(table.columns.at(3).heading, "SSIM");
  EXPECT_EQ(row_named(table, "same").cells.at(2), "∞");
  EXPECT_NEAR(comparison_json({row}).at(0).at("psnr_db").at("value").get<double>(), row.psnr_db->value, 1e-12);
  EXPECT_TRUE(comparison_json({row}).at(0).contains("ssim"));
}

TEST(Compare, ImagesBelowTheWindowHaveNoSimilarityAndSpectraNeitherFigure) {
  ComparisonData data = image_data();
  data.image_shape = {1, 33, 8};
  const ComparisonRow row = compare({"m", "", data.truth_ND + 0.5, "", false}, data, SignalLaw(data.truth_ND));
  EXPECT_TRUE(row.psnr_db.has_value());
  EXPECT_FALSE(row.ssim.has_value());
  const ComparisonData spectra = truth_only();
  const Table table = comparison_table({compare({"m", "", spectra.truth_ND, "", false}, spectra, SignalLaw(spectra.truth_ND))});
  for (const Column& column : table.columns) {
    EXPECT_NE(column.heading, "PSNR [dB]");
    EXPECT_NE(column.heading, "Lyα within 500 km/s");  // figures that no row has
  }
}

TEST(Compare, PixelsOfImagesThatHardlyVaryDoNotCountInTheSpread) {
  ComparisonData data = image_data();
  data.truth_ND.select(1, 3).fill_(-1);
  data.truth_ND.select(1, 4) *= 1e-3;
  at::Tensor restored = 0.5 * data.truth_ND;
  restored.select(1, 4) = data.truth_ND.select(1, 5);
  const SignalLaw law(data.truth_ND);
  EXPECT_NEAR(compare({"m", "", restored, "", false}, data, law).spread_error->value, 0.5, 1e-6);
  data.image_shape.clear();  // other signals: a pixel that never varies leaves no ratio
  EXPECT_FALSE(compare({"m", "", restored, "", false}, data, law).spread_error.has_value());
}

ComparisonRow given_row() {
  ComparisonRow row;
  row.name = "SCSI";
  row.strong = true;
  row.rmse = metrics::Estimate{0.32041, 0.0021};
  row.rmse_over_draw = metrics::Estimate{1.1443, 0.0093};
  row.spread_error = metrics::Estimate{0.0512, 0.004};
  row.spread_bias = -0.02;
  row.excess_sliced_w2 = 0.02134;
  row.energy_distance = 0.01234;
  row.lyman_alpha_within_500_km_s = metrics::Estimate{0.702, 0.0083};
  row.lyman_alpha_objects = row.objects = 3000;
  return row;
}

TEST(ComparisonTable, ShowsTheNumbersItIsGiven) {
  ComparisonRow missing;
  missing.name = "SI oracle";
  missing.reason = "no run given with --oracle";
  const Table table = comparison_table({given_row(), missing});
  const Row& row = row_named(table, "SCSI");
  EXPECT_TRUE(row.strong);
  const std::vector<std::string> expected = {"SCSI", "0.3204 ± 0.0021", "1.1443 ± 0.0093", "5.12 ± 0.40 % (−)", "0.0213", "0.0123", "70.20 ± 0.83 %", "3,000"};
  EXPECT_EQ(row.cells, expected);
  EXPECT_EQ(row.cells.size(), table.columns.size());
  EXPECT_EQ(row_named(table, "SI oracle").remark, "not computed: no run given with --oracle");
}

TEST(ComparisonTable, SaysHowManyObjectsHaveTheLine) {
  ComparisonRow row = given_row();
  row.lyman_alpha_objects = 12;
  EXPECT_EQ(row_named(comparison_table({row}), "SCSI").cells.back(), "3,000 (12)");
}

TEST(ComparisonJson, HoldsTheSameNumbersAndTheReasons) {
  ComparisonRow missing;
  missing.name = "SI oracle";
  missing.reason = "no run";
  const nlohmann::json json = comparison_json({given_row(), missing});
  EXPECT_DOUBLE_EQ(json.at(0).at("rmse_data_units").at("value").get<double>(), 0.32041);
  EXPECT_DOUBLE_EQ(json.at(0).at("lyman_alpha_within_500_km_s_fraction").at("standard_error").get<double>(), 0.0083);
  EXPECT_EQ(json.at(0).at("objects").get<int>(), 3000);
  EXPECT_TRUE(json.at(0).at("lyman_alpha_median_abs_velocity_km_s").is_null());
  EXPECT_FALSE(json.at(1).at("computed").get<bool>());
  EXPECT_EQ(json.at(1).at("reason").get<std::string>(), "no run");
}

}  // namespace
}  // namespace unchannel::report
