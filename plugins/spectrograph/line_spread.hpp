// Gaussian line-spread function on a pixel grid with reflecting edges.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace spectrograph {

constexpr double kFwhmOverSigma = 2.3548200450309493;  // 2 sqrt(2 ln 2)

/// Weights of a Gaussian integrated over pixels: w[k] = Phi((k + 1/2) / sigma) - Phi((k - 1/2) / sigma), k = 0 … ceil(5 sigma + 1/2),
/// scaled so that w[0] + 2 (w[1] + …) = 1. sigma in pixels, > 0, also far below one. Absolute error <= 2e-8 before rounding to float.
std::vector<float> pixel_integrated_gaussian(double sigma_pixels);

/// Scratch that begins at a cache line: a load of eight floats that spans two of them costs two.
class CacheLines {
 public:
  /// Room for `count` floats with undefined values; earlier ones are lost.
  float* resized(int64_t count) {
    floats_.resize(static_cast<size_t>(count) + kFloats);
    const auto address = reinterpret_cast<uintptr_t>(floats_.data());
    begin_ = floats_.data() + (kFloats - address / sizeof(float) % kFloats) % kFloats;
    return begin_;
  }
  [[nodiscard]] const float* data() const { return begin_; }

 private:
  static constexpr size_t kFloats = 16;
  std::vector<float> floats_;
  float* begin_ = nullptr;
};

/// y = K x: K is convolution with those weights, the spectrum continued by reflection about its end edges (x[-1] = x[0]). K is symmetric
/// and its rows sum to one, so K is its own adjoint, and flux and constants are conserved. One object per task: it owns scratch memory.
///
/// sigma < 16 pixels: the band itself. Above: a convolution with s1 = sqrt(sigma² - s2²) pixels, wanted at every h-th pixel only, then
/// interpolation with a Gaussian of s2 pixels; h = s2 = 8 below sigma = 28, h = 16 and s2 = 20 from there on. The sum over coarse points of
/// g_s2(i - h m) g_s1(h m - j) is the trapezoidal rule for the convolution of both; its relative error is
/// 2 exp(-2 pi² (s1 s2 / (sigma h))²): 7e-7 at sigma = 16, 6e-7 at 28, below 1e-8 from 36 on. Maximum error against float64 direct
/// summation: 2e-6 of max |x|.
class LineSpread {
 public:
  explicit LineSpread(int64_t pixels) : pixels_(pixels) {}
  /// x, y: [D], not overlapping. sigma_pixels = 0: y = x.
  void apply(double sigma_pixels, std::span<const float> x, std::span<float> y) { apply(sigma_pixels, x, 0, y); }
  /// Pixels first … first + |y| - 1 of the same.
  void apply(double sigma_pixels, std::span<const float> x, int64_t first, std::span<float> y);
  /// A pixel farther away than this has no share in K x.
  static int64_t reach(double sigma_pixels);

 private:
  const float* continued(std::span<const float> x, int64_t begin, int64_t end);
  void set_kernel(double sigma_pixels);
  void apply_wide(std::span<const float> x, int64_t first, std::span<float> y);

  struct CoarseGrid;
  int64_t pixels_;
  const CoarseGrid* grid_ = nullptr;  // of the kernel, from 16 pixels on
  double kernel_sigma_ = -1;  // successive spectra may share it
  int64_t taps_ = 0;          // of weights_
  std::vector<float> kernel_, coarse_, window_;
  CacheLines weights_, padded_;
};

}  // namespace spectrograph
