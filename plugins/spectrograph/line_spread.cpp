#include "line_spread.hpp"

#include "pixel_loops.hpp"

#include <algorithm>
#include <cmath>

namespace spectrograph {
namespace {

constexpr double kReach = 5;       // standard deviations
constexpr double kBandLimit = 16;  // pixels; above it every eighth pixel is enough
constexpr double kFarLimit = 28;   // above it every sixteenth

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

}  // namespace

/// A grid of coarse points and the Gaussian that interpolates between them.
struct LineSpread::CoarseGrid {
  int64_t stride;                   ///< pixels from point to point
  int64_t before, taps;             ///< points c - before … c - before + taps - 1 serve the pixels of cell c
  double sigma_pixels;              ///< of the interpolation
  std::vector<float> table{};       ///< [stride * t + p]: weight of point t for the pixel p behind point c; each pixel's sum is 1
  decltype(PixelLoops::decimate8) decimate{};
  decltype(PixelLoops::interpolate8) interpolate{};

  static const CoarseGrid& of(double sigma_pixels) {
    static const CoarseGrid near = made({.stride = 8, .before = 5, .taps = 12, .sigma_pixels = 8});
    static const CoarseGrid far = made({.stride = 16, .before = 6, .taps = 14, .sigma_pixels = 20});
    return sigma_pixels < kFarLimit ? near : far;
  }

 private:
  static CoarseGrid made(CoarseGrid grid) {
    grid.decimate = grid.stride == 8 ? pixel_loops().decimate8 : pixel_loops().decimate16;
    grid.interpolate = grid.stride == 8 ? pixel_loops().interpolate8 : pixel_loops().interpolate16;
    grid.table.resize(static_cast<size_t>(grid.stride * grid.taps));
    for (int64_t phase = 0; phase < grid.stride; ++phase) {
      std::vector<double> row;
      double sum = 0;
      for (int64_t tap = 0; tap < grid.taps; ++tap) {
        const double distance = static_cast<double>(phase - grid.stride * (tap - grid.before)) / grid.sigma_pixels;
        row.push_back(std::exp(-distance * distance / 2));
        sum += row.back();
      }
      for (int64_t tap = 0; tap < grid.taps; ++tap) {
        grid.table[static_cast<size_t>(grid.stride * tap + phase)] = static_cast<float>(row[static_cast<size_t>(tap)] / sum);
      }
    }
    return grid;
  }
};

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
  grid_ = &CoarseGrid::of(sigma_pixels);
  kernel_ = pixel_integrated_gaussian(std::sqrt(sigma_pixels * sigma_pixels - grid_->sigma_pixels * grid_->sigma_pixels));
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
  if (sigma_pixels < kBandLimit) {
    return radius;
  }
  const CoarseGrid& grid = CoarseGrid::of(sigma_pixels);
  return radius + grid.taps * grid.stride;
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

/// The coarse points lie at multiples of the stride whatever `first` is, so that all windows see the same K.
void LineSpread::apply_wide(std::span<const float> x, int64_t first, std::span<float> y) {
  const int64_t stride = grid_->stride, aligned = first / stride * stride, skipped = first - aligned;
  const int64_t pixels = static_cast<int64_t>(y.size()) + skipped;
  const int64_t radius = static_cast<int64_t>(kernel_.size()) - 1;
  const int64_t count = (pixels - 1) / stride + grid_->taps;
  const int64_t begin = aligned - grid_->before * stride - radius;
  coarse_.resize(static_cast<size_t>(count));
  grid_->decimate(continued(x, begin, begin + (count - 1) * stride + taps_), weights_.data(), taps_, count, coarse_.data());
  float* out = y.data();
  if (skipped > 0) {
    window_.resize(static_cast<size_t>(pixels));
    out = window_.data();
  }
  grid_->interpolate(coarse_.data(), grid_->table.data(), pixels, out);
  if (skipped > 0) {
    std::copy(window_.begin() + skipped, window_.end(), y.begin());
  }
}

}  // namespace spectrograph
