#include "evaluation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <unchannel/base/error.hpp>

#include "pixel_errors.hpp"
#include "ssim.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

at::Tensor rows(const at::Tensor& x, const at::Tensor& index) { return x.defined() ? x.index_select(0, index) : x; }

// Sums over the pixels whose truth is known.
void evaluate_pixels(const EvaluationInput& input, const at::Tensor& valid_ND, Evaluation& result) {
  const at::Tensor truth = input.truth_ND.to(at::kDouble), zero = at::zeros({}, at::kDouble);
  const at::Tensor error = at::where(valid_ND, input.restored_ND.to(at::kDouble) - truth, zero);
  check<DataError>(error.isfinite().all().item<bool>(), "metrics: restored or truth holds NaN or infinity outside the mask; remove those objects first.");
  const double count = valid_ND.sum().item<double>();
  const double mean_square = error.square().sum().item<double>() / count;
  result.valid_share = count / static_cast<double>(valid_ND.numel());
  result.mae = error.abs().sum().item<double>() / count;
  const double infinite = std::numeric_limits<double>::infinity();
  result.data_range = input.data_range > 0 ? input.data_range
                                           : at::where(valid_ND, truth, at::full({}, -infinite, at::kDouble)).max().item<double>() -
                                                 at::where(valid_ND, truth, at::full({}, infinite, at::kDouble)).min().item<double>();
  result.psnr_db = mean_square > 0 ? 10 * std::log10(result.data_range * result.data_range / mean_square) : infinite;
  // Objects weigh by their valid pixels, in the value and in the resamples alike.
  const at::Tensor sums_N2 = at::cat({error.square().sum(1, true), valid_ND.sum(1, true).to(at::kDouble)}, 1);
  result.rmse = bootstrap(sums_N2, [](const at::Tensor& mean_R2) { return (mean_R2.select(1, 0) / mean_R2.select(1, 1)).sqrt(); });
  if (input.truth_variance_ND.defined()) {
    const double noise = at::where(valid_ND, input.truth_variance_ND.to(at::kDouble), zero).sum().item<double>() / count;
    result.rmse_noise_subtracted = mean_square >= noise ? std::sqrt(mean_square - noise) : std::numeric_limits<double>::quiet_NaN();
  }
}

}  // namespace

std::vector<PeakComparison> lines_in_coverage(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& wavelength_D,
                                              const at::Tensor& redshift_N) {
  std::vector<PeakComparison> lines;
  for (const LineWindow& line : quasar_lines()) {
    PeakComparison peaks = compare_peaks(restored_ND, truth_ND, wavelength_D, redshift_N, line);
    if (peaks.in_coverage > 0) lines.push_back(std::move(peaks));
  }
  return lines;
}

nlohmann::json to_json(const PeakComparison& line) {
  return {{"objects_in_coverage", line.in_coverage},
          {"limit_km_s", line.limit_km_s},
          {"fraction_within_limit", line.fraction_within.value},
          {"fraction_within_limit_standard_error", line.fraction_within.standard_error},
          {"median_abs_velocity_error_km_s", line.median_abs_velocity_km_s},
          {"median_relative_height_error", line.median_height_error},
          {"rms_relative_height_error", line.rms_height_error}};
}

ExcessDistance excess_against(const at::Tensor& reference_MD, const at::Tensor& restored_ND) {
  const std::int64_t rows = restored_ND.size(0), all = reference_MD.size(0);
  check<ShapeError>(all >= 3 * rows, "metrics: the reference has {} rows; {} restored objects need at least three times as many.", all, rows);
  const std::int64_t clean = all / 3 / rows * rows;
  return excess_sliced_w2(restored_ND, reference_MD.slice(0, 0, all - clean), reference_MD.slice(0, all - clean), fixed_directions(restored_ND.size(1)));
}

Evaluation evaluate(const EvaluationInput& given) {
  check<ShapeError>(given.restored_ND.dim() == 2 && given.restored_ND.sizes() == given.truth_ND.sizes() && given.truth_ND.numel() > 0,
                    "metrics: restored and truth must have one non-empty shape [N, D].");
  check<ShapeError>(!given.valid_ND.defined() || given.valid_ND.sizes() == given.truth_ND.sizes(), "metrics: the mask must have the truth's shape.");
  check<ShapeError>(!given.truth_variance_ND.defined() || given.truth_variance_ND.sizes() == given.truth_ND.sizes(),
                    "metrics: the truth's variance must have the truth's shape.");
  EvaluationInput input = given;
  at::Tensor valid_ND = given.valid_ND.defined() ? given.valid_ND.to(at::kBool) : at::full(given.truth_ND.sizes(), true, at::kBool);
  const bool complete = valid_ND.all().item<bool>();
  if (!complete) {
    const at::Tensor used = valid_ND.any(1).nonzero().squeeze(1);
    check<DataError>(used.numel() > 0, "metrics: no object has a valid pixel; there is nothing to evaluate.");
    for (at::Tensor* x : {&input.restored_ND, &input.truth_ND, &input.truth_variance_ND, &input.redshift_N, &valid_ND}) *x = rows(*x, used);
  }
  Evaluation result;
  result.objects = input.truth_ND.size(0);
  result.pixels = input.truth_ND.size(1);
  evaluate_pixels(input, valid_ND, result);
  if (!complete || result.objects < 4) return result;
  if (input.image_shape.size() == 3 && std::min(input.image_shape[1], input.image_shape[2]) >= kSmallestSsimImage) {
    const std::vector<std::int64_t> shape = {-1, input.image_shape[0], input.image_shape[1], input.image_shape[2]};
    const at::Tensor ssim_N = structural_similarity(input.restored_ND.reshape(shape), input.truth_ND.reshape(shape), result.data_range);
    result.ssim = {ssim_N.mean().item<double>(), ssim_N.std().item<double>() / std::sqrt(static_cast<double>(result.objects))};
  }
  // A pixel that never varies, as corners of photographs on white ground, leaves no ratio of spreads.
  if (pixel_spread(input.truth_ND).gt(0).all().item<bool>()) {
    result.spread_error = bootstrap_spread_error(input.restored_ND, input.truth_ND);
    result.spread_bias = spread_bias(input.restored_ND, input.truth_ND);
  }
  result.sliced = input.reference_MD.defined() ? excess_against(input.reference_MD, input.restored_ND)
                                               : excess_sliced_w2_paired(input.restored_ND, input.truth_ND, fixed_directions(result.pixels));
  const TwoSampleOptions two_sample{.paired = true, .max_rows = 1000};
  result.energy_distance = energy_distance(input.restored_ND, input.truth_ND, two_sample);
  result.mmd = mmd(input.restored_ND, input.truth_ND, two_sample);
  if (input.wavelength_D.defined())
    result.lines = lines_in_coverage(input.restored_ND, input.truth_ND, input.wavelength_D, input.redshift_N);
  return result;
}

nlohmann::json to_json(const Evaluation& evaluation) {
  nlohmann::json json = {{"objects", evaluation.objects},
                         {"pixels", evaluation.pixels},
                         {"valid_pixel_share", evaluation.valid_share},
                         {"rmse_data_units", evaluation.rmse.value},
                         {"rmse_standard_error_data_units", evaluation.rmse.standard_error},
                         {"mae_data_units", evaluation.mae},
                         {"psnr_db", evaluation.psnr_db},
                         {"psnr_data_range_data_units", evaluation.data_range}};
  if (evaluation.rmse_noise_subtracted) json["rmse_truth_noise_subtracted_data_units"] = *evaluation.rmse_noise_subtracted;
  if (evaluation.ssim) {
    json["ssim"] = evaluation.ssim->value;
    json["ssim_standard_error"] = evaluation.ssim->standard_error;
  }
  if (evaluation.spread_error) {
    json["spread_error_fraction"] = evaluation.spread_error->value;
    json["spread_error_standard_error_fraction"] = evaluation.spread_error->standard_error;
  }
  if (evaluation.spread_bias) json["spread_bias_fraction"] = *evaluation.spread_bias;
  if (evaluation.sliced) {
    json["excess_sliced_w2_data_units"] = evaluation.sliced->excess;
    json["sliced_w2_data_units"] = evaluation.sliced->distance;
    json["sliced_w2_floor_data_units"] = evaluation.sliced->floor;
  }
  if (evaluation.energy_distance) json["energy_distance_data_units"] = *evaluation.energy_distance;
  if (evaluation.mmd) {
    json["mmd_squared"] = evaluation.mmd->mmd_squared;
    json["mmd"] = evaluation.mmd->mmd;
    json["mmd_kernel_width_data_units"] = evaluation.mmd->bandwidth;
  }
  for (const PeakComparison& line : evaluation.lines) json["lines"][line.name] = to_json(line);
  return json;
}

}  // namespace unchannel::metrics
