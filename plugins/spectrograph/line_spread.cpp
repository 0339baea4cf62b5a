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

/// erf differences; their cost per weight is what makes the series below worth while. Returns w[0] + 2 (w[1] + …).
double small_weights(double sigma, std::vector<double>& w) {
  const double scale = 1 / (sigma * std::sqrt(2.0));
  w[0] = 2 * std::erf(0.5 * scale);
  double beyond = std::erfc(0.5 * scale), sum = w[0];
  for (size_t k = 1; k < w.size(); ++k) {
    const double before = beyond;
    beyond = std::erfc((static_cast<double>(k) + 0.5) * scale);
    w[k] = before - beyond;
    sum += 2 * w[k];
  }
  return sum;
}

/// The integral over a pixel as a series in 1 / sigma² (Hermite polynomials of u = k / sigma; first term left out: He8 / (92897280
/// sigma^8)), the exponential by recurrence. Returns the sum like small_weights. Two weights at a time: the divisions are what takes time,
/// and the two chains, of products and of sums, pass while they are under way.
double wide_weights(double sigma, std::vector<double>& w) {
  typedef double Two __attribute__((vector_size(16)));
  const double v = 1 / (sigma * sigma);
  const double ratio = std::exp(-v);
  double value = 1, step = std::exp(-v / 2), sum = 0;
  for (size_t k = 0; k < w.size(); k += 2) {
    const double next = value * step;
    const Two place = {static_cast<double>(k), static_cast<double>(k + 1)}, gaussian = {value, next};
    step *= ratio;
    value = next * step;
    step *= ratio;
    const Two u2 = place * place * v;
    const Two he2 = u2 - 1;
    const Two he4 = (u2 - 6) * u2 + 3;
    const Two he6 = ((u2 - 15) * u2 + 45) * u2 - 15;
    const Two weight = gaussian * (1 + v * (he2 / 24 + v * (he4 / 1920 + v * he6 / 322560)));
    w[k] = weight[0];
    sum += k == 0 ? weight[0] : 2 * weight[0];
    if (k + 1 < w.size()) {
      w[k + 1] = weight[1];
      sum += 2 * weight[1];
    }
  }
  return sum;
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
  const double sum = sigma_pixels < 3 ? small_weights(sigma_pixels, w) : wide_weights(sigma_pixels, w);
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
  taps_ = (2 * radius + 32) / 32 * 32;  // 2 radius + 1, rounded up to a multiple of 32
  float* weights = weights_.resized(taps_);
  std::fill(weights + 2 * radius + 1, weights + taps_, 0.0F);
  std::reverse_copy(kernel_.begin(), kernel_.end(), weights);
  std::ranges::copy(kernel_, weights + radius);
}

/// x[begin … end - 1], reflected beyond its ends; valid until the next call.
const float* LineSpread::continued(std::span<const float> x, int64_t begin, int64_t end) {
  if (begin >= 0 && end <= pixels_) {
    return x.data() + begin;
  }
  float* padded = padded_.resized(end - begin);
  const auto fill = [&](int64_t from, int64_t to) {
    for (int64_t i = from; i < to; ++i) {
      const int64_t period = 2 * pixels_;
      const int64_t inside = ((i % period) + period) % period;
      padded[i - begin] = x[inside < pixels_ ? inside : period - 1 - inside];
    }
  };
  const int64_t left = std::clamp<int64_t>(0, begin, end), right = std::clamp(pixels_, begin, end);
  std::copy(x.begin() + left, x.begin() + right, padded + (left - begin));
  if (begin >= -pixels_ && end <= 2 * pixels_) {  // the usual case, without divisions
    std::reverse_copy(x.begin(), x.begin() + (left - begin), padded);
    std::reverse_copy(x.end() - (end - right), x.end(), padded + (right - begin));
  } else {
    fill(begin, left), fill(right, end);
  }
  return padded;
}

int64_t LineSpread::reach(double sigma_pixels) {
  const auto radius = static_cast<int64_t>(std::ceil(kReach * sigma_pixels + 0.5));
  return sigma_pixels < kBandLimit ? radius : radius + kTaps * kStride;
}

void LineSpread::apply(double sigma_pixels, std::span<const float> x, int64_t first, std::span<float> y) {
  if (sigma_pixels < 0.05) {  // 1 - w[0] < 1e-22
    std::ranges::copy(x.subspan(static_cast<size_t>(first), y.size()), y.begin());
    return;
  }
  set_kernel(sigma_pixels);
  if (sigma_pixels >= kBandLimit) {
    apply_wide(x, first, y);
    return;
  }
  const int64_t radius = static_cast<int64_t>(kernel_.size()) - 1;
  const auto count = static_cast<int64_t>(y.size());
  pixel_loops().band(continued(x, first - radius, first + count + radius), kernel_.data(), radius, count, y.data());
}

/// The coarse points lie at multiples of kStride whatever `first` is, so that all windows see the same K.
void LineSpread::apply_wide(std::span<const float> x, int64_t first, std::span<float> y) {
  const int64_t aligned = first / kStride * kStride, skipped = first - aligned;
  const int64_t pixels = static_cast<int64_t>(y.size()) + skipped;
  const int64_t radius = static_cast<int64_t>(kernel_.size()) - 1;
  const int64_t count = (pixels - 1) / kStride + kTaps;
  const int64_t begin = aligned - kBefore * kStride - radius;
  coarse_.resize(static_cast<size_t>(count));
  pixel_loops().decimate8(continued(x, begin, begin + (count - 1) * kStride + taps_), weights_.data(), taps_, count, coarse_.data());
  float* out = y.data();
  if (skipped > 0) {
    window_.resize(static_cast<size_t>(pixels));
    out = window_.data();
  }
  pixel_loops().interpolate8(coarse_.data(), interpolation_table().data(), pixels, out);
  if (skipped > 0) {
    std::copy(window_.begin() + skipped, window_.end(), y.begin());
  }
}

}  // namespace spectrograph
