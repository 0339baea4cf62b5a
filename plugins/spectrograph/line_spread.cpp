#include "line_spread.hpp"

#include "pixel_loops.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace spectrograph {
namespace {

constexpr double kReach = 5;       // standard deviations
constexpr double kBandLimit = 16;  // pixels; above it every eighth pixel is enough
constexpr int64_t kStride = 8;
constexpr int64_t kTaps = 12;  // of the interpolation: coarse points c - 5 … c + 6
constexpr int64_t kBefore = 5;

/// erf differences; their cost per weight is what makes the series below worth while.
void small_weights(double sigma, std::vector<double>& w) {
  const double scale = 1 / (sigma * std::sqrt(2.0));
  for (size_t k = 0; k < w.size(); ++k) {
    const double centre = static_cast<double>(k);
    w[k] = k == 0 ? 2 * std::erf(0.5 * scale) : std::erfc((centre - 0.5) * scale) - std::erfc((centre + 0.5) * scale);
  }
}

/// The integral over a pixel as a series in 1 / sigma² (Hermite polynomials of u = k / sigma; first term left out: He8 / (92897280
/// sigma^8)), the exponential by recurrence.
void wide_weights(double sigma, std::vector<double>& w) {
  const double v = 1 / (sigma * sigma);
  const double ratio = std::exp(-v);
  double value = 1;
  double step = std::exp(-v / 2);
  for (size_t k = 0; k < w.size(); ++k) {
    const double u2 = static_cast<double>(k * k) * v;
    const double he2 = u2 - 1;
    const double he4 = (u2 - 6) * u2 + 3;
    const double he6 = ((u2 - 15) * u2 + 45) * u2 - 15;
    w[k] = value * (1 + v * (he2 / 24 + v * (he4 / 1920 + v * he6 / 322560)));
    value *= step;
    step *= ratio;
  }
}

/// table[8 t + p]: weight of coarse point t - 5 for the pixel p / 8 behind coarse point 0; a unit Gaussian on a unit grid, rows scaled to
/// sum 1.
const std::array<float, kTaps * kStride>& interpolation_table() {
  static const auto table = [] {
    std::array<float, kTaps * kStride> t{};
    for (int64_t phase = 0; phase < kStride; ++phase) {
      std::array<double, kTaps> row{};
      double sum = 0;
      for (int64_t tap = 0; tap < kTaps; ++tap) {
        const double distance = static_cast<double>(phase) / kStride - static_cast<double>(tap - kBefore);
        sum += row[tap] = std::exp(-distance * distance / 2);
      }
      for (int64_t tap = 0; tap < kTaps; ++tap) {
        t[kStride * tap + phase] = static_cast<float>(row[tap] / sum);
      }
    }
    return t;
  }();
  return table;
}

}  // namespace

std::vector<float> pixel_integrated_gaussian(double sigma_pixels) {
  std::vector<double> w(static_cast<size_t>(std::ceil(kReach * sigma_pixels + 0.5)) + 1);
  sigma_pixels < 3 ? small_weights(sigma_pixels, w) : wide_weights(sigma_pixels, w);
  double sum = w[0];
  for (size_t k = 1; k < w.size(); ++k) {
    sum += 2 * w[k];
  }
  std::vector<float> rounded(w.size());
  std::ranges::transform(w, rounded.begin(), [sum](double value) { return static_cast<float>(value / sum); });
  return rounded;
}

void LineSpread::set_kernel(double sigma_pixels) {
  if (sigma_pixels == kernel_sigma_) {
    return;
  }
  kernel_sigma_ = sigma_pixels;
  if (sigma_pixels < kBandLimit) {
    kernel_ = pixel_integrated_gaussian(sigma_pixels);
    return;
  }
  kernel_ = pixel_integrated_gaussian(std::sqrt(sigma_pixels * sigma_pixels - static_cast<double>(kStride * kStride)));
  const int64_t radius = static_cast<int64_t>(kernel_.size()) - 1;
  weights_.assign(static_cast<size_t>((2 * radius + 32) / 32 * 32), 0.0F);  // 2 radius + 1 taps, rounded up to a multiple of 32
  for (int64_t k = -radius; k <= radius; ++k) {
    weights_[k + radius] = kernel_[std::abs(k)];
  }
}

void LineSpread::pad(std::span<const float> x, int64_t before, int64_t after) {
  padded_.resize(static_cast<size_t>(before + pixels_ + after));
  std::ranges::copy(x, padded_.begin() + before);
  const auto reflected = [&](int64_t i) {
    const int64_t period = 2 * pixels_;
    const int64_t inside = ((i % period) + period) % period;
    return x[inside < pixels_ ? inside : period - 1 - inside];
  };
  if (before <= pixels_ && after <= pixels_) {
    std::reverse_copy(x.begin(), x.begin() + before, padded_.begin());
    std::reverse_copy(x.end() - after, x.end(), padded_.begin() + before + pixels_);
    return;
  }
  for (int64_t i = 0; i < before; ++i) {
    padded_[i] = reflected(i - before);
  }
  for (int64_t i = 0; i < after; ++i) {
    padded_[before + pixels_ + i] = reflected(pixels_ + i);
  }
}

void LineSpread::apply(double sigma_pixels, std::span<const float> x, std::span<float> y) {
  if (sigma_pixels < 0.05) {  // 1 - w[0] < 1e-22
    std::ranges::copy(x, y.begin());
    return;
  }
  set_kernel(sigma_pixels);
  const int64_t radius = static_cast<int64_t>(kernel_.size()) - 1;
  const PixelLoops& loops = pixel_loops();
  if (sigma_pixels < kBandLimit) {
    pad(x, radius, radius);
    loops.band(padded_.data(), kernel_.data(), radius, pixels_, y.data());
    return;
  }
  const int64_t cells = (pixels_ - 1) / kStride + 1;
  const int64_t count = cells + kTaps - 1;
  const auto taps = static_cast<int64_t>(weights_.size());
  const int64_t before = kBefore * kStride + radius;
  pad(x, before, (count - 1) * kStride + taps - before - pixels_);
  coarse_.resize(static_cast<size_t>(count));
  loops.decimate(padded_.data(), weights_.data(), taps, kStride, count, coarse_.data());
  loops.interpolate8(coarse_.data(), interpolation_table().data(), pixels_, y.data());
}

}  // namespace spectrograph
