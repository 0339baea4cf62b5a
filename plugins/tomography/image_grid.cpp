#include "image_grid.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>

namespace tomography {
namespace {

constexpr double kPadding = 1.5;
constexpr double kHalfWidth = kKernelWidth / 2.0;
// 0.97 pi W (1 - 1 / (2 padding)): the choice of Barnett et al., section 3.2, for any padding.
constexpr double kBeta = 0.97 * std::numbers::pi * kKernelWidth * (1 - 0.5 / kPadding);

/// distance: in grid points
double kernel(double distance) {
  const double z = distance / kHalfWidth;
  return z * z < 1 ? std::exp(kBeta * (std::sqrt(1 - z * z) - 1)) : 0;
}

/// integral of kernel(t) cos(turn t) dt, |turn| ≤ pi: the midpoint rule, which converges like the kernel's own spectrum falls.
double kernel_transform(double turn) {
  constexpr int kSteps = 512;
  constexpr double kStep = kHalfWidth / kSteps;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double t = (i + 0.5) * kStep;
    sum += kernel(t) * std::cos(turn * t);
  }
  return 2 * kStep * sum;
}

/// The kernel's eight weights around position g and the first of their grid points. The signs (-1)^index belong to an image whose middle
/// lies in the middle of the grid instead of at its first point.
int64_t weigh(double g, float* weights) {
  const auto first = static_cast<int64_t>(std::ceil(g - kHalfWidth));
  for (int64_t a = 0; a < kKernelWidth; ++a) {
    const double weight = kernel(static_cast<double>(first + a) - g);
    weights[a] = static_cast<float>((first + a) % 2 == 0 ? weight : -weight);
  }
  return first;
}

}  // namespace

ImageGrid::ImageGrid(int64_t pixels)
    : pixels_(pixels),
      size_(friendly_length(std::max<int64_t>(32, std::llround(std::ceil(kPadding * static_cast<double>(pixels)))), 16)),
      offset_((size_ - pixels + 1) / 2),
      pitch_(size_ + kKernelWidth),
      lines_(size_ / 2 + 1 + 2 * kReach),
      centre_(static_cast<double>(offset_ - size_ / 2) + 0.5 * static_cast<double>(pixels - 1)) {
  const double turn = 2 * std::numbers::pi / static_cast<double>(size_);
  for (int64_t j = 0; j < pixels; ++j) {
    window_.push_back(static_cast<float>(1 / kernel_transform(turn * static_cast<double>(offset_ + j - size_ / 2))));
  }
  const Scratch scratch(*this);
  const int length = static_cast<int>(size_), pitch = static_cast<int>(pitch_), half = length / 2 + 1;
  Complex* const first = block(scratch.grid(), 0);
  const Layout rows{kRowBlock, 1, length}, across{kRowBlock, pitch, 1}, along{half, 1, pitch};
  rows_ = Fft::real_to_complex(length, scratch.rows_.data(), rows, first, across);
  rows_back_ = Fft::complex_to_real(length, first, across, scratch.rows_.data(), rows);
  lines_fft_ = Fft::complex_in_place(length, FFTW_FORWARD, line(scratch.grid(), 0), along);
  lines_back_ = Fft::complex_in_place(length, FFTW_BACKWARD, line(scratch.grid(), 0), along);
}

ImageGrid::Scratch::Scratch(const ImageGrid& grid) : grid_(grid.lines_ * grid.pitch_), rows_(kRowBlock * grid.size_) {}

GridPoint ImageGrid::place(Frequency k) const {
  const double scale = static_cast<double>(size_) / (2 * std::numbers::pi);
  GridPoint point{};
  // Rows count downwards, hence the sign of k.y. Rounding must not carry a frequency of pi beyond the last line.
  const int64_t l = weigh(std::clamp(k.x * scale, 0.0, static_cast<double>(size_ / 2)), point.line);
  const int64_t e = weigh(-k.y * scale, point.element);
  point.start = (l + kReach) * pitch_ + (e + size_) % size_;
  return point;
}

std::complex<double> ImageGrid::phase(Frequency k) const { return std::polar(1.0, centre_ * (k.x - k.y)); }

void ImageGrid::transform(const float* x, Scratch& scratch) const {
  Complex* const grid = scratch.grid();
  float* const rows = scratch.rows_.data();
  const int64_t end = offset_ + pixels_, after = size_ - end;
  for (int64_t kx = 0; kx <= size_ / 2; ++kx) {
    std::fill_n(line(grid, kx), offset_, Complex());
    std::fill_n(line(grid, kx) + end, after, Complex());
  }
  for (int64_t first = 0; first < pixels_; first += kRowBlock) {
    std::fill_n(rows, kRowBlock * size_, 0.0F);
    for (int64_t i = first; i < std::min(first + kRowBlock, pixels_); ++i) {
      float* const row = rows + (i - first) * size_ + offset_;
      for (int64_t j = 0; j < pixels_; ++j) {
        row[j] = x[i * pixels_ + j] * (window_[i] * window_[j]);
      }
    }
    rows_->execute(rows, block(grid, first));
  }
  lines_fft_->execute(line(grid, 0));
  extend(grid);
}

/// A real image has H(-k) = conj H(k) and H(k + G) = H(k).
void ImageGrid::extend(Complex* grid) const {
  for_mirrored_lines([&](int64_t kx) {
    const Complex* const from = line(grid, mirror_source(kx));
    Complex* const to = line(grid, kx);
    to[0] = std::conj(from[0]);
    for (int64_t ky = 1; ky < size_; ++ky) {
      to[ky] = std::conj(from[size_ - ky]);
    }
  });
  for (int64_t l = 0; l < lines_; ++l) {
    std::copy_n(grid + l * pitch_, kKernelWidth, grid + l * pitch_ + size_);
  }
}

/// The transpose of extend.
void ImageGrid::fold(Complex* grid) const {
  for (int64_t l = 0; l < lines_; ++l) {
    for (int64_t e = 0; e < kKernelWidth; ++e) {
      grid[l * pitch_ + e] += grid[l * pitch_ + size_ + e];
    }
  }
  for_mirrored_lines([&](int64_t kx) {
    const Complex* const from = line(grid, kx);
    Complex* const to = line(grid, mirror_source(kx));
    to[0] += std::conj(from[0]);
    for (int64_t ky = 1; ky < size_; ++ky) {
      to[size_ - ky] += std::conj(from[ky]);
    }
  });
}

void ImageGrid::gather(const Scratch& scratch, const GridPoint* points, int64_t count, Complex* values) const {
  gridding_loops().gather(reinterpret_cast<const float*>(scratch.grid()), pitch_, points, count, reinterpret_cast<float*>(values));
}

void ImageGrid::clear(Scratch& scratch) const { std::fill_n(scratch.grid(), lines_ * pitch_, Complex()); }

void ImageGrid::spread(const Complex* values, const GridPoint* points, int64_t count, Scratch& scratch) const {
  gridding_loops().spread(reinterpret_cast<const float*>(values), points, count, pitch_, reinterpret_cast<float*>(scratch.grid()));
}

void ImageGrid::transpose(Scratch& scratch, float* x) const {
  Complex* const grid = scratch.grid();
  float* const rows = scratch.rows_.data();
  fold(grid);
  // The transpose of a real-to-complex transform takes every k_x once; FFTW's complex-to-real one takes those between the first and the
  // last twice. Powers of two: exact.
  for (const int64_t kx : {int64_t{0}, size_ / 2}) {
    for (int64_t ky = 0; ky < size_; ++ky) {
      line(grid, kx)[ky] *= 2.0F;
    }
  }
  lines_back_->execute(line(grid, 0));
  for (int64_t first = 0; first < pixels_; first += kRowBlock) {
    rows_back_->execute(block(grid, first), rows);
    for (int64_t i = first; i < std::min(first + kRowBlock, pixels_); ++i) {
      const float* const row = rows + (i - first) * size_ + offset_;
      for (int64_t j = 0; j < pixels_; ++j) {
        x[i * pixels_ + j] = 0.5F * row[j] * (window_[i] * window_[j]);
      }
    }
  }
}

}  // namespace tomography
