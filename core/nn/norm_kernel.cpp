// Compiled once for each version: UNCHANNEL_KERNEL_VERSION names its namespace. Plain loops over neighbouring columns, which compilers turn into
// vector instructions without having to change the order of any sum.
#include "norm_kernel.hpp"

#include <bit>

namespace unchannel::UNCHANNEL_KERNEL_VERSION {
namespace {

inline float load(float value) { return value; }
inline float load(Bfloat16Bits value) { return std::bit_cast<float>(static_cast<std::uint32_t>(value.value) << 16); }

inline void store(float& to, float value) { to = value; }
/// Nearest, ties to even; every NaN becomes the quiet one.
inline void store(Bfloat16Bits& to, float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
  to.value = static_cast<std::uint16_t>(value == value ? rounded : 0x7FC0U);
}

/// e^x for x clamped to [−87, 88], by 2^n e^r with |r| ≤ ln 2 / 2 and the Taylor polynomial of degree 7, whose remainder is 6e-9. NaN stays NaN.
inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F, kRounder = 12582912.0F;  // 1.5 · 2^23
  x = x < -87.0F ? -87.0F : x;
  x = x > 88.0F ? 88.0F : x;
  const float shifted = x * kLog2E + kRounder;
  const float n = shifted - kRounder;
  const float r = (x - n * kLn2High) - n * kLn2Low;
  const float tail = 1.0F / 24 + r * (1.0F / 120 + r * (1.0F / 720 + r * (1.0F / 5040)));
  const float polynomial = 1.0F + r * (1.0F + r * (0.5F + r * (1.0F / 6 + r * tail)));
  // The low bits of `shifted` are n; adding them to the exponent multiplies by 2^n.
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(polynomial) + (std::bit_cast<std::uint32_t>(shifted) << 23));
}

inline float sigmoid(float z) { return 1.0F / (1.0F + exponential(-z)); }

template <class T>
void sums(NormRows shape, const T* x, float* __restrict sum) {
  for (std::int64_t c = 0; c < shape.width; ++c) sum[c] = 0.0F;
  for (std::int64_t row = 0; row < shape.rows; ++row, x += shape.stride) {
    for (std::int64_t c = 0; c < shape.width; ++c) sum[c] += load(x[c]);
  }
}

template <class T>
void squares(NormRows shape, const T* x, const float* centre, float* __restrict sum) {
  for (std::int64_t c = 0; c < shape.width; ++c) sum[c] = 0.0F;
  for (std::int64_t row = 0; row < shape.rows; ++row, x += shape.stride) {
    for (std::int64_t c = 0; c < shape.width; ++c) {
      const float difference = load(x[c]) - centre[c];
      sum[c] += difference * difference;
    }
  }
}

struct Silu {
  static float value(float z) { return z * sigmoid(z); }
  static float slope(float z) {
    const float s = sigmoid(z);
    return s * (1.0F + z * (1.0F - s));
  }
};

struct Plain {
  static float value(float z) { return z; }
  static float slope(float) { return 1.0F; }
};

template <class T, class Function>
void apply(NormRows shape, const T* x, const float* centre, const float* gain, const float* shift, T* __restrict y) {
  for (std::int64_t row = 0; row < shape.rows; ++row, x += shape.stride, y += shape.stride) {
    for (std::int64_t c = 0; c < shape.width; ++c) store(y[c], Function::value(gain[c] * (load(x[c]) - centre[c]) + shift[c]));
  }
}

template <class T, class Function>
void backward_sums(NormRows shape, const T* x, const T* dy, const float* centre, const float* gain, const float* shift, float* __restrict dz,
                   float* __restrict sum, float* __restrict product) {
  for (std::int64_t c = 0; c < shape.width; ++c) sum[c] = product[c] = 0.0F;
  for (std::int64_t row = 0; row < shape.rows; ++row, x += shape.stride, dy += shape.stride, dz += shape.width) {
    for (std::int64_t c = 0; c < shape.width; ++c) {
      const float difference = load(x[c]) - centre[c];
      const float slope = load(dy[c]) * Function::slope(gain[c] * difference + shift[c]);
      dz[c] = slope;
      sum[c] += slope;
      product[c] += slope * difference;
    }
  }
}

template <class T, int kAddends>
void backward_rows(std::int64_t rows, std::int64_t width, NormGradient<T> at, const float* centre, const float* gain, const float* slope,
                   const float* offset) {
  for (std::int64_t row = 0; row < rows; ++row) {
    const T *x = at.x, *first = at.addends[0].first, *second = at.addends[1].first;
    const float* dz = at.dz;
    T* __restrict dx = at.dx;
    for (std::int64_t c = 0; c < width; ++c) {
      float value = gain[c] * dz[c] + slope[c] * (load(x[c]) - centre[c]) + offset[c];
      if constexpr (kAddends > 0) value += load(first[c]);
      if constexpr (kAddends > 1) value += load(second[c]);
      store(dx[c], value);
    }
    at.x += at.x_stride;
    at.dz += at.x_stride;
    at.dx += at.dx_stride;
    if constexpr (kAddends > 0) at.addends[0].first += at.addends[0].stride;
    if constexpr (kAddends > 1) at.addends[1].first += at.addends[1].stride;
  }
}

template <class T>
void backward_apply(std::int64_t rows, std::int64_t width, const NormGradient<T>& gradient, const float* centre, const float* gain,
                    const float* slope, const float* offset) {
  NormGradient<T> at = gradient;
  if (!at.addends[0].first) at.addends[0] = at.addends[1], at.addends[1] = {};
  const auto run = !at.addends[0].first ? backward_rows<T, 0> : !at.addends[1].first ? backward_rows<T, 1> : backward_rows<T, 2>;
  run(rows, width, at, centre, gain, slope, offset);
}

template <class T>
constexpr NormKernel<T> kKernel = {sums<T>,         squares<T>, apply<T, Silu>, apply<T, Plain>, backward_sums<T, Silu>, backward_sums<T, Plain>,
                                   backward_apply<T>};

}  // namespace

const NormKernel<float> float_kernel = kKernel<float>;
const NormKernel<Bfloat16Bits> half_kernel = kKernel<Bfloat16Bits>;

}  // namespace unchannel::UNCHANNEL_KERNEL_VERSION
