#include "comparison.hpp"

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unchannel/metrics/pixel_errors.hpp>
#include <unchannel/metrics/sliced_distance.hpp>

#include "tensor_ops.hpp"

namespace unchannel::report {
namespace {

constexpr std::int64_t kBlockRows = 2048;

/// RMSE over the RMSE of the exact draw, on the same resampled objects.
metrics::Estimate ratio_of_rmse(const at::Tensor& squared_N, const at::Tensor& squared_draw_N) {
  return metrics::bootstrap(at::stack({squared_N, squared_draw_N}, 1),
                            [](const at::Tensor& means) { return (means.select(1, 0) / means.select(1, 1)).sqrt(); });
}

/// The spread is compared only where the truth varies; a pixel that is constant over objects has none.
bool varies(const at::Tensor& truth_ND) { return (metrics::pixel_spread(truth_ND) > 0).all().item<bool>(); }

}  // namespace

SignalLaw::SignalLaw(const at::Tensor& truth_ND) : truth_ND_(truth_ND), directions_PD_(metrics::fixed_directions(truth_ND.size(1))) {}

SignalLaw::SignalLaw(const at::Tensor& truth_ND, const Draw& draw, std::int64_t reference_rows) : SignalLaw(truth_ND) {
  std::vector<at::Tensor> blocks;  // projections, 256 numbers an object instead of D
  for (std::int64_t first = 0; first < reference_rows; first += kBlockRows) {
    blocks.push_back(at::matmul(directions_PD_, draw(first, std::min(kBlockRows, reference_rows - first)).t()));
  }
  reference_PM_ = metrics::sort_rows(at::cat(blocks, 1));
  blocks.clear();
  const at::Tensor clean_ND = draw(reference_rows, truth_ND.size(0));
  floor_squared_ = metrics::wasserstein2_squared(metrics::sorted_projections(clean_ND, directions_PD_), reference_PM_).mean().item<double>();
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
  if (row.objects >= 2 && varies(data.truth_ND)) {
    row.spread_error = metrics::bootstrap_spread_error(method.restored_ND, data.truth_ND);
    row.spread_bias = metrics::spread_bias(method.restored_ND, data.truth_ND);
  }
  if (row.objects >= 4) row.excess_sliced_w2 = law.excess_sliced_w2(method.restored_ND);
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
