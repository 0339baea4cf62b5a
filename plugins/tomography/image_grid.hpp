// The Fourier transform of an N × N image at any frequency, and its exact transpose: a non-uniform FFT.
//
//     F(k) = sum over pixels of x[i, j] exp(-i (k_x (j - c) + k_y (c - i))),   c = (N - 1) / 2,  k in radians per pixel, |k_x|, |k_y| ≤ pi
//
// Image / kernel's own transform → zero-padded FFT on G ≥ 1.5 N points → interpolation over 8 × 8 grid points with the "exponential of
// semicircle" kernel exp(beta (sqrt(1 - z²) - 1)) [Barnett, Magland, af Klinteberg, SIAM J. Sci. Comput. 41 (2019) C479]. Its error at this
// width and padding is 2e-6 of the root mean square of F (tested against direct summation).
#pragma once

#include "fourier.hpp"
#include "tables.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace tomography {

/// Radians per pixel; x to the right, y upwards.
struct Frequency {
  double x, y;
};

class ImageGrid {
 public:
  explicit ImageGrid(int64_t pixels);

  /// Working memory of one transform; reused by any number of them, one at a time.
  class Scratch {
   public:
    explicit Scratch(const ImageGrid& grid);
    Complex* grid() const { return grid_.data(); }

   private:
    friend class ImageGrid;
    Aligned<Complex> grid_;
    Aligned<float> rows_;
  };

  /// Where k lies on the grid. k.x ≥ 0 (use F(-k) = conj F(k)); |k.x|, |k.y| ≤ pi.
  [[nodiscard]] GridPoint place(Frequency k) const;
  /// exp(-i k·d): what gather() leaves out, because the image sits on the grid with its centre off by d.
  [[nodiscard]] std::complex<double> phase(Frequency k) const;

  /// x [N, N] → scratch, ready for gather.
  void transform(const float* x, Scratch& scratch) const;
  void gather(const Scratch& scratch, const GridPoint* points, int64_t count, Complex* values) const;

  /// The transposes, with respect to Re sum conj(a) b: clear, spread any number of times, then transpose into x [N, N].
  void clear(Scratch& scratch) const;
  void spread(const Complex* values, const GridPoint* points, int64_t count, Scratch& scratch) const;
  void transpose(Scratch& scratch, float* x) const;

  [[nodiscard]] int64_t pixels() const { return pixels_; }
  [[nodiscard]] ImageTables tables() const { return {pixels_, size_, offset_, pitch_, lines_, window_.data()}; }

 private:
  static constexpr int64_t kReach = kLineReach;
  static constexpr int64_t kRowBlock = 8;  // image rows transformed together: a cache line of their transposed results

  // The grid is kept as lines of equal k_x, k_x = -kReach … G / 2 + kReach, with k_y along the line and its first kKernelWidth elements
  // repeated at the end, so that a kernel never wraps.
  [[nodiscard]] Complex* line(Complex* grid, int64_t kx) const { return grid + (kx + kReach) * pitch_; }
  [[nodiscard]] Complex* block(Complex* grid, int64_t row) const { return line(grid, 0) + offset_ + row; }
  [[nodiscard]] int64_t mirror_source(int64_t kx) const { return kx < 0 ? -kx : 2 * (size_ / 2) - kx; }
  template <class Body>
  void for_mirrored_lines(Body&& body) const {
    for (int64_t j = 1; j <= kReach; ++j) {
      body(-j), body(size_ / 2 + j);
    }
  }
  void extend(Complex* grid) const;
  void fold(Complex* grid) const;

  int64_t pixels_, size_, offset_, pitch_, lines_;
  double centre_;              // of the image, as seen from the middle of the grid
  std::vector<float> window_;  // 1 / kernel's transform per pixel, and in transpose() as well
  std::optional<Fft> rows_, rows_back_, lines_fft_, lines_back_;
};

}  // namespace tomography
