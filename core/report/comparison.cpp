#include "comparison.hpp"

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unchannel/metrics/pixel_errors.hpp>
#include <unchannel/metrics/sliced_distance.hpp>
#include <unchannel/metrics/ssim.hpp>
#include <unchannel/metrics/two_sample.hpp>

#include "tensor_ops.hpp"

namespace unchannel::report {
namespace {

constexpr std::int64_t kBlockRows = 2048;

/// RMSE over the RMSE of the exact draw, on the same resampled objects.
metrics::Estimate ratio_of_rmse(const at::Tensor& squared_N, const at::Tensor& squared_draw_N) {
  return metrics::bootstrap(at::stack({squared_N, squared_draw_N}, 1),
                            [](const at::Tensor& means) { return (means.select(1, 0) / means.select(1, 1)).sqrt(); });
}

/// Sums of x and x² over rows about a first guess of the mean, so that the difference of the two does not cancel.
class SpreadSum {
 public:
  void add(const at::Tensor& block_ND) {
    const at::Tensor block = block_ND.to(at::kDouble);
    if (count_ == 0) {
      guess_D_ = block.mean(0);
      sum_D_ = at::zeros_like(guess_D_);
      squares_D_ = at::zeros_like(guess_D_);
    }
    const at::Tensor centred = block - guess_D_;
    sum_D_ += centred.sum(0);
    squares_D_ += centred.square().sum(0);
    count_ += static_cast<double>(block.size(0));
  }
  at::Tensor spread_D() const { return (squares_D_ / count_ - (sum_D_ / count_).square()).clamp_min(0).sqrt(); }

 private:
  at::Tensor guess_D_, sum_D_, squares_D_;
  double count_ = 0;
};

void add_image_figures(ComparisonRow& row, const at::Tensor& restored_ND, const at::Tensor& squared_N, const ComparisonData& data) {
  const double range = metrics::value_range(data.truth_ND);
  if (data.image_shape.size() != 3 || !(range > 0)) return;
  row.psnr_db = metrics::bootstrap(squared_N.reshape({-1, 1}),
                                   [&](const at::Tensor& means) { return (range * range / means.select(1, 0)).log10() * 10; });
  if (std::min(data.image_shape[1], data.image_shape[2]) < metrics::kSmallestSsimImage) return;
  const std::vector<std::int64_t> shape = {-1, data.image_shape[0], data.image_shape[1], data.image_shape[2]};
  row.ssim = metrics::bootstrap_mean(metrics::structural_similarity(restored_ND.reshape(shape), data.truth_ND.reshape(shape), range));
}

void add_spread(ComparisonRow& row, const at::Tensor& restored_ND, const ComparisonData& data, const SignalLaw& law) {
  const at::Tensor& truth_ND = data.truth_ND;
  const at::Tensor spread_D = law.spread_D().defined() ? law.spread_D() : metrics::pixel_spread(truth_ND);
  const at::Tensor least = data.image_shape.empty() ? spread_D.min() : spread_D.max() * kLeastSpreadShare;
  if (!(least.item<double>() > 0)) return;
  const at::Tensor used = (spread_D >= least).nonzero().squeeze(1);
  const at::Tensor restored = restored_ND.index_select(1, used);
  if (law.spread_D().defined()) {
    const at::Tensor known_D = spread_D.index_select(0, used);
    row.spread_error = metrics::bootstrap_spread_error_of_law(restored, known_D);
    row.spread_bias = (metrics::pixel_spread(restored) / known_D - 1).mean().item<double>();
  } else {
    const at::Tensor truth = truth_ND.index_select(1, used);
    row.spread_error = metrics::bootstrap_spread_error(restored, truth);
    row.spread_bias = metrics::spread_bias(restored, truth);
  }
}

}  // namespace

SignalLaw::SignalLaw(const at::Tensor& truth_ND) : truth_ND_(truth_ND), directions_PD_(metrics::fixed_directions(truth_ND.size(1))) {}

SignalLaw::SignalLaw(const at::Tensor& truth_ND, const ReferenceSample& sample) : SignalLaw(truth_ND) {
  const std::int64_t N = truth_ND.size(0);
  check<ShapeError>(sample.reference_rows > 0 && sample.clean_rows > 0 && sample.clean_rows % N == 0,
                    "report: {} clean rows are no whole sets of {} objects.", sample.clean_rows, N);
  std::vector<at::Tensor> blocks;  // projections, 256 numbers an object instead of D
  SpreadSum spread;
  for (std::int64_t first = 0; first < sample.reference_rows; first += kBlockRows) {
    const at::Tensor block_ND = sample.draw(first, std::min(kBlockRows, sample.reference_rows - first));
    blocks.push_back(at::matmul(directions_PD_, block_ND.t()));
    if (sample.gives_spread) spread.add(block_ND);
  }
  if (sample.gives_spread) spread_D_ = spread.spread_D();
  reference_PM_ = metrics::sort_rows(at::cat(blocks, 1));
  blocks.clear();
  for (std::int64_t first = 0; first < sample.clean_rows; first += N) {
    const at::Tensor clean_PN = metrics::sorted_projections(sample.draw(sample.reference_rows + first, N), directions_PD_);
    floor_squared_ += metrics::wasserstein2_squared(clean_PN, reference_PM_).mean().item<double>() * static_cast<double>(N) /
                      static_cast<double>(sample.clean_rows);
  }
}

double SignalLaw::excess_sliced_w2(const at::Tensor& restored_ND) const {
  if (!reference_PM_.defined()) return metrics::excess_sliced_w2_paired(restored_ND, truth_ND_, directions_PD_).excess;
  const at::Tensor projected_PN = metrics::sorted_projections(restored_ND, directions_PD_);
  const double squared = metrics::wasserstein2_squared(projected_PN, reference_PM_).mean().item<double>();
  return std::sqrt(std::max(squared - floor_squared_, 0.0));
}

ComparisonRow compare(const MethodResult& method, const ComparisonData& data, const SignalLaw& law) {
  ComparisonRow row;
  row.name = method.name;
  row.meaning = method.meaning;
  row.strong = method.strong;
  if (!method.restored_ND.defined()) {
    row.reason = method.reason.empty() ? "not available" : method.reason;
    return row;
  }
  if (!method.restored_ND.isfinite().all().item<bool>()) {
    row.reason = "gave values that are not finite";
    return row;
  }
  const at::Tensor squared_N = metrics::squared_error_per_object(method.restored_ND, data.truth_ND);
  row.objects = data.truth_ND.size(0);
  row.rmse = metrics::bootstrap_rmse(squared_N);
  if (data.exact_draw_ND.defined()) {
    row.rmse_over_draw = ratio_of_rmse(squared_N, metrics::squared_error_per_object(data.exact_draw_ND, data.truth_ND));
  }
  add_image_figures(row, method.restored_ND, squared_N, data);
  if (row.objects >= 2) add_spread(row, method.restored_ND, data, law);
  if (row.objects >= 4) {
    row.excess_sliced_w2 = law.excess_sliced_w2(method.restored_ND);
    row.energy_distance = metrics::energy_distance(method.restored_ND, data.truth_ND, {.paired = true});
  }
  if (data.wavelength_D.defined()) {
    row.lines = metrics::lines_in_coverage(method.restored_ND, data.truth_ND, data.wavelength_D, data.redshift_N);
    for (const metrics::PeakComparison& peaks : row.lines) {
      if (peaks.name != metrics::lyman_alpha().name) continue;
      row.lyman_alpha_objects = peaks.in_coverage;
      row.lyman_alpha_within_500_km_s = peaks.fraction_within;
      row.lyman_alpha_median_velocity_km_s = peaks.median_abs_velocity_km_s;
      row.lyman_alpha_median_height_error = peaks.median_height_error;
    }
  }
  return row;
}

}  // namespace unchannel::report
