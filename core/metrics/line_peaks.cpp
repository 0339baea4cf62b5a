#include "line_peaks.hpp"

#include <cmath>
#include <limits>
#include <utility>
#include <unchannel/base/error.hpp>

#include "pixel_errors.hpp"
#include "tensor_ops.hpp"

namespace unchannel::metrics {
namespace {

constexpr double kSpeedOfLight_km_s = 299792.458;
constexpr double kCoverageMargin_km_s = 3000;

// Index of the largest pixel of every row in the window [N] and its value [N].
std::pair<at::Tensor, at::Tensor> peaks(const at::Tensor& x_ND, const at::Tensor& window_ND) {
  const at::Tensor inside = at::where(window_ND, x_ND.to(at::kDouble), at::full({}, -std::numeric_limits<double>::infinity(), at::kDouble));
  const at::Tensor index_N = inside.argmax(1);
  return {index_N, inside.gather(1, index_N.unsqueeze(1)).squeeze(1)};
}

}  // namespace

LineWindow lyman_alpha() { return {"Ly_alpha", 1215.67, 1150, 1300}; }

std::vector<LineWindow> quasar_lines() {
  return {lyman_alpha(),
          {"Si_IV_O_IV", 1399.8, 1360, 1440},
          {"C_IV", 1549.06, 1500, 1600},
          {"C_III", 1908.73, 1840, 1970},
          {"Mg_II", 2798.75, 2730, 2870}};
}

PeakComparison compare_peaks(const at::Tensor& restored_ND, const at::Tensor& truth_ND, const at::Tensor& wavelength_D,
                             const at::Tensor& redshift_N, const LineWindow& line, double limit_km_s) {
  check_pair(restored_ND, truth_ND, "restored", "truth");
  const std::int64_t N = truth_ND.size(0), D = truth_ND.size(1);
  check<ShapeError>(wavelength_D.dim() == 1 && wavelength_D.size(0) == D, "metrics: {} pixels need as many wavelengths.", D);
  const at::Tensor log_wavelength = wavelength_D.to(at::kDouble).log();
  check<DataError>(D >= 2 && log_wavelength.isfinite().all().item<bool>() && (log_wavelength.diff() > 0).all().item<bool>(),
                   "metrics: wavelengths must be positive and increasing.");
  at::Tensor stretch_N = at::ones({N}, at::kDouble);
  if (redshift_N.defined()) {
    check<ShapeError>(redshift_N.dim() == 1 && redshift_N.size(0) == N, "metrics: {} objects need as many redshifts.", N);
    stretch_N = redshift_N.to(at::kDouble) + 1;
    // An unknown redshift, NaN, compares false below: the object is in no line's coverage.
    check<DataError>((stretch_N > 0).logical_or(stretch_N.isnan()).all().item<bool>(),
                     "metrics: redshifts must be above -1, or NaN where unknown.");
  }

  const at::Tensor shift_N1 = stretch_N.log().unsqueeze(1);
  const at::Tensor rest_ND = log_wavelength.unsqueeze(0) - shift_N1;
  const at::Tensor window_ND = (rest_ND >= std::log(line.window_min_angstrom)) & (rest_ND <= std::log(line.window_max_angstrom));
  const double centre = std::log(line.rest_wavelength_angstrom), margin = kCoverageMargin_km_s / kSpeedOfLight_km_s;
  const at::Tensor covered_N = (rest_ND.select(1, 0) <= centre - margin) & (rest_ND.select(1, D - 1) >= centre + margin);

  PeakComparison result;
  result.name = line.name;
  result.objects = N;
  result.in_coverage = covered_N.sum().item<std::int64_t>();
  result.limit_km_s = limit_km_s;
  const auto [index, height] = peaks(restored_ND, window_ND);
  const auto [true_index, true_height] = peaks(truth_ND, window_ND);
  const at::Tensor nan = at::full({}, std::numeric_limits<double>::quiet_NaN(), at::kDouble);
  const at::Tensor velocity = kSpeedOfLight_km_s * (log_wavelength.index_select(0, index) - log_wavelength.index_select(0, true_index));
  result.velocity_error_km_s_N = at::where(covered_N, velocity, nan);
  result.height_error_N = at::where(covered_N, (height - true_height) / true_height.abs(), nan);
  if (result.in_coverage == 0) {
    result.fraction_within = {nan.item<double>(), nan.item<double>()};
    result.median_abs_velocity_km_s = result.median_height_error = result.rms_height_error = nan.item<double>();
    return result;
  }
  const at::Tensor used = covered_N.nonzero().squeeze(1);
  const at::Tensor velocity_used = velocity.index_select(0, used).abs(), height_used = result.height_error_N.index_select(0, used);
  result.fraction_within = bootstrap_mean((velocity_used <= limit_km_s).to(at::kDouble));
  result.median_abs_velocity_km_s = velocity_used.median().item<double>();
  result.median_height_error = height_used.median().item<double>();
  result.rms_height_error = height_used.square().mean().sqrt().item<double>();
  return result;
}

}  // namespace unchannel::metrics
