#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "norm_kernel.hpp"

// One sample of a group normalisation, forwards and backwards, on plain memory. Included by norm_silu.cpp alone.
// Shape legend: P planes · S places of a sample · G groups
namespace unchannel {

constexpr std::int64_t kVectorWidth = 256;  // columns that a loop should at least have

/// Values of planes [P] and of groups [G] of one sample, and how its memory is walked through.
struct Layout {
  std::int64_t batch, planes, places, groups;

  std::int64_t group_planes() const { return planes / groups; }
  double group_size() const { return static_cast<double>(group_planes() * places); }
  /// Places that one row holds, so that networks of few planes have long rows too.
  std::int64_t places_per_row() const {
    std::int64_t count = 1;
    while (places % (2 * count) == 0 && count * planes < kVectorWidth) count *= 2;
    return count;
  }
  NormRows rows() const { return {places / places_per_row(), planes * places_per_row(), planes * places_per_row()}; }
};

using Row = std::vector<float>;

/// Sums of the planes [P] out of those of a row's columns.
inline void fold(const Row& columns, std::int64_t planes, float* out_P) {
  std::copy_n(columns.begin(), planes, out_P);
  for (auto column = columns.begin() + planes; column != columns.end(); column += planes) {
    for (std::int64_t p = 0; p < planes; ++p) out_P[p] += column[p];
  }
}

/// out[c] = value(plane of column c)
template <class Value>
void spread(Row& out, std::int64_t planes, const Value& value) {
  for (std::int64_t p = 0; p < planes; ++p) out[static_cast<std::size_t>(p)] = static_cast<float>(value(p));
  for (std::size_t c = static_cast<std::size_t>(planes); c < out.size(); ++c) out[c] = out[c - static_cast<std::size_t>(planes)];
}

inline double group_sum(const Row& planes, std::int64_t group, std::int64_t group_planes) {
  double total = 0.0;
  for (std::int64_t p = group * group_planes; p < (group + 1) * group_planes; ++p) total += planes[static_cast<std::size_t>(p)];
  return total;
}

/// Parameters and statistics of one sample.
struct Affine {
  const float *weight_P, *bias_P, *scale_shift_P;  // the last may be null
  float *mean_G, *inverse_deviation_G;

  double scale(std::int64_t p) const { return scale_shift_P ? 1.0 + scale_shift_P[p] : 1.0; }
  double shift(std::int64_t p, std::int64_t planes) const { return scale_shift_P ? scale_shift_P[planes + p] : 0.0; }
};

/// A part of the planes, whose gradient has memory of its own.
template <class T>
struct PlanesPart {
  T* dx = nullptr;
  std::int64_t planes = 0;
};

/// One sample's part in the backward pass. The addends are gradients that x has from elsewhere. Those of weight, bias [P] and scale_shift [2P]
/// (null where there is none) go into rows of their own. dz: room for as many values as x has.
template <class T>
struct SampleGradient {
  const T *x, *dy;
  NormAddend<T> addends[2];
  PlanesPart<T> parts[2];
  float *dz, *dweight_P, *dbias_P, *dscale_shift_P;
};

/// The passes over one sample after the other, with their scratch.
template <class T>
class SamplePasses {
 public:
  SamplePasses(const Layout& layout, bool silu) : layout_(layout), kernel_(norm_kernel<T>()), rows_(layout.rows()), silu_(silu) {
    const auto width = static_cast<std::size_t>(rows_.width);
    for (Row* row : {&centre_, &gain_, &shift_, &sum_, &product_}) row->resize(width);
    planes_.resize(static_cast<std::size_t>(layout.planes));
    products_.resize(static_cast<std::size_t>(layout.planes));
  }

  void forward(const Affine& affine, const T* x, T* y, double epsilon) {
    affine_ = affine;
    kernel_.sums(rows_, x, sum_.data());
    fold(sum_, layout_.planes, planes_.data());
    for (std::int64_t g = 0; g < layout_.groups; ++g) affine_.mean_G[g] = static_cast<float>(mean_of(planes_, g));
    set_centre();
    kernel_.squares(rows_, x, centre_.data(), sum_.data());
    fold(sum_, layout_.planes, planes_.data());
    for (std::int64_t g = 0; g < layout_.groups; ++g) {
      affine_.inverse_deviation_G[g] = static_cast<float>(1.0 / std::sqrt(mean_of(planes_, g) + epsilon));
    }
    set_affine();
    (silu_ ? kernel_.apply_silu : kernel_.apply_plain)(rows_, x, centre_.data(), gain_.data(), shift_.data(), y);
  }

  void backward(const Affine& affine, const SampleGradient<T>& g) {
    affine_ = affine;
    set_centre();
    set_affine();
    const auto sums = silu_ ? kernel_.backward_sums_silu : kernel_.backward_sums_plain;
    sums(rows_, g.x, g.dy, centre_.data(), gain_.data(), shift_.data(), g.dz, sum_.data(), product_.data());
    fold(sum_, layout_.planes, planes_.data());
    fold(product_, layout_.planes, products_.data());
    parameter_gradients(g.dweight_P, g.dbias_P, g.dscale_shift_P);
    // With v = weight (1 + scale) dz the gradient of the normalised values: dx = r (v − mean v − x̂ mean(v x̂)), means over the group.
    for (std::int64_t p = 0; p < layout_.planes; ++p) {
      planes_[index(p)] *= static_cast<float>(slope_of(p));
      products_[index(p)] *= static_cast<float>(slope_of(p));
    }
    spread(shift_, layout_.planes, [&](std::int64_t p) { return -deviation(p) * mean_of(planes_, group(p)); });
    spread(sum_, layout_.planes, [&](std::int64_t p) { return -deviation(p) * deviation(p) * deviation(p) * mean_of(products_, group(p)); });
    input_gradient(g);
  }

 private:
  static std::size_t index(std::int64_t p) { return static_cast<std::size_t>(p); }
  std::int64_t group(std::int64_t p) const { return p / layout_.group_planes(); }
  double deviation(std::int64_t p) const { return affine_.inverse_deviation_G[group(p)]; }  // 1 / σ
  double slope_of(std::int64_t p) const { return affine_.weight_P[p] * affine_.scale(p); }
  double mean_of(const Row& planes, std::int64_t g) const { return group_sum(planes, g, layout_.group_planes()) / layout_.group_size(); }

  void set_centre() {
    spread(centre_, layout_.planes, [&](std::int64_t p) { return affine_.mean_G[group(p)]; });
  }

  void set_affine() {
    spread(gain_, layout_.planes, [&](std::int64_t p) { return deviation(p) * slope_of(p); });
    spread(shift_, layout_.planes, [&](std::int64_t p) { return affine_.bias_P[p] * affine_.scale(p) + affine_.shift(p, layout_.planes); });
  }

  void parameter_gradients(float* dweight_P, float* dbias_P, float* dscale_shift_P) const {
    for (std::int64_t p = 0; p < layout_.planes; ++p) {
      const double sum = planes_[index(p)], product = deviation(p) * products_[index(p)];
      dweight_P[p] = static_cast<float>(affine_.scale(p) * product);
      dbias_P[p] = static_cast<float>(affine_.scale(p) * sum);
      if (!dscale_shift_P) continue;
      dscale_shift_P[p] = static_cast<float>(affine_.weight_P[p] * product + affine_.bias_P[p] * sum);
      dscale_shift_P[layout_.planes + p] = static_cast<float>(sum);
    }
  }

  /// By whole rows where all memory is dense, else place by place and part by part.
  void input_gradient(const SampleGradient<T>& g) const {
    const auto dense = [&](const NormAddend<T>& addend) { return !addend.first || addend.stride == layout_.planes; };
    if (g.parts[1].planes == 0 && dense(g.addends[0]) && dense(g.addends[1])) {
      const std::int64_t width = rows_.width;
      apply_part(rows_.rows, width, 0, {g.x, g.dz, {{g.addends[0].first, width}, {g.addends[1].first, width}}, g.parts[0].dx, width, width});
      return;
    }
    std::int64_t offset = 0;
    for (const PlanesPart<T>& part : g.parts) {
      const auto moved = [&](const NormAddend<T>& addend) { return NormAddend<T>{addend.first ? addend.first + offset : nullptr, addend.stride}; };
      if (part.planes == 0) break;
      apply_part(layout_.places, part.planes, offset,
                 {g.x + offset, g.dz + offset, {moved(g.addends[0]), moved(g.addends[1])}, part.dx, layout_.planes, part.planes});
      offset += part.planes;
    }
  }

  void apply_part(std::int64_t rows, std::int64_t width, std::int64_t offset, const NormGradient<T>& gradient) const {
    kernel_.backward_apply(rows, width, gradient, centre_.data() + offset, gain_.data() + offset, sum_.data() + offset, shift_.data() + offset);
  }

  Layout layout_;
  Affine affine_ = {};
  const NormKernel<T>& kernel_;
  NormRows rows_;
  bool silu_;
  Row centre_, gain_, shift_, sum_, product_, planes_, products_;
};

}  // namespace unchannel
