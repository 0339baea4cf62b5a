#include "slices.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tomography {
namespace {

constexpr double kNyquist = std::numbers::pi * (1 + 1e-12);

bool inside(Frequency k) { return std::abs(k.x) <= kNyquist && std::abs(k.y) <= kNyquist; }

}  // namespace

int64_t row_length(const Geometry& geometry, double period, int64_t oversample) {
  const double fine_pitch = geometry.pitch / static_cast<double>(oversample);
  return friendly_length(std::max(std::llround(std::ceil(period / fine_pitch)), static_cast<long long>(geometry.bins * oversample)), 2);
}

SliceOperator::SliceOperator(const Geometry& geometry, const ImageGrid& grid, Rows rows, const Weight& weight)
    : grid_(grid), views_(geometry.views()), bins_(geometry.bins), oversample_(rows.oversample), length_(rows.length) {
  const double step = 2 * std::numbers::pi * static_cast<double>(oversample_) / (static_cast<double>(length_) * geometry.pitch);
  frequencies_ = std::min(length_ / 2 + 1, static_cast<int64_t>(kNyquist * std::numbers::sqrt2 / step) + 1);
  points_.reserve(static_cast<size_t>(views_ * frequencies_));
  weights_.reserve(points_.capacity());
  for (int64_t v = 0; v < views_; ++v) {
    const double cosine = std::cos(geometry.angles_radian[v]), sine = std::sin(geometry.angles_radian[v]);
    const double side = cosine < 0 ? -1 : 1;
    conjugate_.push_back(side < 0 ? 1 : 0);
    for (int64_t m = 0; m < frequencies_; ++m) {
      const double radial = step * static_cast<double>(m);
      const Frequency k{radial * cosine, radial * sine}, held{side * k.x, side * k.y};
      const bool counts = inside(k);
      const auto phase = grid.phase(k) * std::polar(1.0, radial * geometry.first_bin());
      weights_.emplace_back(counts ? weight(v, m, k) * phase : 0.0);
      points_.push_back(grid.place(counts ? held : Frequency{0, 0}));
    }
  }
  const Scratch scratch(*this);
  const Layout single{1, 1, 0};
  to_row_ = Fft::complex_to_real(static_cast<int>(length_), scratch.spectrum_.data(), single, scratch.row_.data(), single);
  from_row_ = Fft::real_to_complex(static_cast<int>(length_), scratch.row_.data(), single, scratch.spectrum_.data(), single);
}

SliceTables SliceOperator::tables() const {
  return {grid_.tables(),    views_,  bins_,          oversample_,
          frequencies_,      length_, points_.data(), reinterpret_cast<const Pair*>(weights_.data()),
          conjugate_.data(), nullptr, nullptr};
}

SliceOperator::Scratch::Scratch(const SliceOperator& slices)
    : image_(slices.grid_), values_(slices.frequencies_), spectrum_(slices.length_ / 2 + 1), row_(slices.length_) {}

std::unique_ptr<SliceOperator::Scratch, SliceOperator::GiveBack> SliceOperator::borrow() const {
  std::unique_ptr<Scratch> scratch;
  {
    const std::lock_guard lock(idle_mutex_);
    if (!idle_.empty()) {
      scratch = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!scratch) {
    scratch = std::make_unique<Scratch>(*this);
  }
  return {scratch.release(), GiveBack{this}};
}
void SliceOperator::GiveBack::operator()(Scratch* scratch) const {
  std::unique_ptr<Scratch> returned(scratch);
  const std::lock_guard lock(owner->idle_mutex_);
  owner->idle_.push_back(std::move(returned));
}

void SliceOperator::apply(const float* x, float* y, Scratch& scratch) const {
  Complex* const values = scratch.values_.data();
  Complex* const spectrum = scratch.spectrum_.data();
  float* const row = scratch.row_.data();
  grid_.transform(x, scratch.image_);
  for (int64_t v = 0; v < views_; ++v) {
    const Complex* const weights = weights_.data() + v * frequencies_;
    grid_.gather(scratch.image_, points_.data() + v * frequencies_, frequencies_, values);
    const float side = conjugate_[v] != 0 ? -1.0F : 1.0F;
    for (int64_t m = 0; m < frequencies_; ++m) {
      const float re = values[m].real(), im = side * values[m].imag();
      spectrum[m] = {weights[m].real() * re - weights[m].imag() * im, weights[m].real() * im + weights[m].imag() * re};
    }
    std::fill(spectrum + frequencies_, spectrum + length_ / 2 + 1, Complex());
    to_row_->execute(spectrum, row);
    for (int64_t b = 0; b < bins_; ++b) {
      y[v * bins_ + b] = row[b * oversample_];
    }
  }
}

void SliceOperator::transpose(const float* y, float* x, Scratch& scratch) const {
  Complex* const values = scratch.values_.data();
  Complex* const spectrum = scratch.spectrum_.data();
  float* const row = scratch.row_.data();
  grid_.clear(scratch.image_);
  for (int64_t v = 0; v < views_; ++v) {
    const Complex* const weights = weights_.data() + v * frequencies_;
    std::fill_n(row, length_, 0.0F);
    for (int64_t b = 0; b < bins_; ++b) {
      row[b * oversample_] = y[v * bins_ + b];
    }
    from_row_->execute(row, spectrum);
    const float side = conjugate_[v] != 0 ? -1.0F : 1.0F;
    for (int64_t m = 0; m < frequencies_; ++m) {
      const float twice = m == 0 || 2 * m == length_ ? 1.0F : 2.0F;
      const float re = twice * spectrum[m].real(), im = twice * spectrum[m].imag();
      values[m] = {weights[m].real() * re + weights[m].imag() * im, side * (weights[m].real() * im - weights[m].imag() * re)};
    }
    grid_.spread(values, points_.data() + v * frequencies_, frequencies_, scratch.image_);
  }
  grid_.transpose(scratch.image_, x);
}

}  // namespace tomography
