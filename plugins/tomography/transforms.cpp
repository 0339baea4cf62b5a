#include "transforms.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tomography {
namespace {

using std::numbers::pi;

constexpr double kMargin = 4;  // pixels between the periods of a row

double sinc(double u) { return std::abs(u) < 1e-8 ? 1 : std::sin(u) / u; }

/// The image holds averages over square pixels; this is the transform of such a pixel. At least (2 / pi)² inside the square.
double pixel_footprint(Frequency k) { return sinc(k.x / 2) * sinc(k.y / 2); }

double radius(Frequency k) { return std::hypot(k.x, k.y); }

double bin_footprint(const Geometry& geometry, Frequency k) { return sinc(radius(k) * geometry.pitch / 2); }

/// Rows on which a filter as long as the detector does not wrap, nor the image's corners onto the data.
SliceOperator::Rows lift_rows(const Geometry& geometry) {
  const double detector = static_cast<double>(geometry.bins) * geometry.pitch;
  return {row_length(geometry, std::max(2 * detector, geometry.reach() + kMargin), 1), 1};
}

/// Transform of the sampled ramp kernel h[0] = 1/4, h[odd n] = -1 / (pi n)², 0 otherwise [Kak, Slaney, Principles of Computerized
/// Tomographic Imaging, eq. 61]: |frequency| in cycles per bin, but without the offset that sampling |frequency| itself would bring.
std::vector<double> sampled_ramp(int64_t length) {
  std::vector<double> cosine(static_cast<size_t>(length)), ramp(static_cast<size_t>(length / 2 + 1));
  for (int64_t i = 0; i < length; ++i) {
    cosine[i] = std::cos(2 * pi * static_cast<double>(i) / static_cast<double>(length));
  }
  for (int64_t m = 0; m <= length / 2; ++m) {
    double sum = 0.25;
    for (int64_t n = 1; n <= length / 2; n += 2) {
      const double both_sides = 2 * n == length ? 1 : 2;
      sum -= both_sides * cosine[m * n % length] / (pi * pi * static_cast<double>(n * n));
    }
    ramp[m] = sum;
  }
  return ramp;
}

/// u: frequency / Nyquist frequency of the detector, 0 … 1
double window(Filter filter, double u) {
  switch (filter) {
    case Filter::kSheppLogan:
      return sinc(pi * u / 2);
    case Filter::kHann:
      return 0.5 * (1 + std::cos(pi * u));
    default:
      return 1;
  }
}

}  // namespace

SliceOperator projector(const Geometry& geometry, const ImageGrid& grid) {
  // Bins wider than a pixel do not sample the projections densely enough: compute finer ones and leave some out.
  const auto oversample = static_cast<int64_t>(std::ceil(geometry.pitch - 1e-9));
  const double detector = static_cast<double>(geometry.bins) * geometry.pitch;
  const SliceOperator::Rows rows{row_length(geometry, std::max(detector, geometry.reach()) + kMargin, oversample), oversample};
  const double scale = geometry.pixel_size * static_cast<double>(oversample) / (static_cast<double>(rows.length) * geometry.pitch);
  return {geometry, grid, rows, [&](int64_t, int64_t, Frequency k) { return scale * bin_footprint(geometry, k) / pixel_footprint(k); }};
}

SliceOperator filtered_back_projection(const Geometry& geometry, const ImageGrid& grid, Filter filter) {
  const SliceOperator::Rows rows = lift_rows(geometry);
  const std::vector<double> ramp = sampled_ramp(rows.length);
  const double scale = 1 / (static_cast<double>(rows.length) * geometry.pitch * geometry.pixel_size);
  return {geometry, grid, rows, [&](int64_t view, int64_t m, Frequency k) {
            return geometry.angle_weights[view] * scale * ramp[m] * window(filter, radius(k) * geometry.pitch / pi);
          }};
}

SliceOperator fourier_slice(const Geometry& geometry, const ImageGrid& grid) {
  const SliceOperator::Rows rows = lift_rows(geometry);
  const std::vector<double> ramp = sampled_ramp(rows.length);
  const double scale = 1 / (static_cast<double>(rows.length) * geometry.pitch * geometry.pixel_size);
  // A sample stands for the piece of the plane that is nearest to it, but for no more than one step of the N-point FFT, 2 pi / N, to either
  // side: what is farther from every view has not been measured.
  const double widest = 4 * pi / static_cast<double>(geometry.pixels);
  return {geometry, grid, rows, [&](int64_t view, int64_t m, Frequency k) {
            const double angle = std::min(geometry.angle_weights[view], widest / std::max(radius(k), widest));
            // Bins wider than a pixel have zeros that cannot be undone.
            const double footprint = geometry.pitch <= 1 ? pixel_footprint(k) / bin_footprint(geometry, k) : 1;
            return angle * scale * ramp[m] * footprint;
          }};
}

}  // namespace tomography
