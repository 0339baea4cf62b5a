#pragma once

#include <cstdint>

// Rows of `width` neighbouring values, one for each place, `stride` values apart; sums are over rows, one for each column.
namespace unchannel {

/// A bfloat16 as the upper half of a float32.
struct Bfloat16Bits {
  std::uint16_t value;
};

struct NormRows {
  std::int64_t rows, stride, width;
};

/// Rows with a stride of their own; none where `first` is null.
template <class T>
struct NormAddend {
  const T* first = nullptr;
  std::int64_t stride = 0;
};

/// What the last pass of the gradient reads and writes, each with its stride: normalised values and gradients that x has from elsewhere.
template <class T>
struct NormGradient {
  const T* x;
  const float* dz;
  NormAddend<T> addends[2];
  T* dx;
  std::int64_t x_stride, dx_stride;  // that of dz is that of x
};

/// The passes of a group normalisation with affine map and f(z) behind it, for one number type T: f(z) = silu(z) = z / (1 + e^−z), or z
/// itself in those called plain. Arithmetic is float32; silu is within 4 units of the last place of its exact value, plus |z| · 1e-38.
template <class T>
struct NormKernel {
  /// sum = Σ x
  void (*sums)(NormRows shape, const T* x, float* sum);
  /// sum = Σ (x − centre)²
  void (*squares)(NormRows shape, const T* x, const float* centre, float* sum);
  /// y = f(gain (x − centre) + shift)
  using Apply = void(NormRows shape, const T* x, const float* centre, const float* gain, const float* shift, T* y);
  Apply *apply_silu, *apply_plain;
  /// With z the argument above: dz [rows · width] = dy f′(z), sum = Σ dz, product = Σ dz (x − centre)
  using BackwardSums = void(NormRows shape, const T* x, const T* dy, const float* centre, const float* gain, const float* shift, float* dz, float* sum,
                            float* product);
  BackwardSums *backward_sums_silu, *backward_sums_plain;
  /// dx = gain dz + slope (x − centre) + offset + addends, rounded once
  void (*backward_apply)(std::int64_t rows, std::int64_t width, const NormGradient<T>& gradient, const float* centre, const float* gain,
                         const float* slope, const float* offset);
};

/// The fastest version that this processor has: AVX-512, AVX2 with FMA, or portable.
template <class T>
const NormKernel<T>& norm_kernel();
template <>
const NormKernel<float>& norm_kernel<float>();
template <>
const NormKernel<Bfloat16Bits>& norm_kernel<Bfloat16Bits>();

// One set a version, compiled from the same source with other options.
#define UNCHANNEL_NORM_KERNELS(version)              \
  namespace version {                                \
  extern const NormKernel<float> float_kernel;       \
  extern const NormKernel<Bfloat16Bits> half_kernel; \
  }
UNCHANNEL_NORM_KERNELS(kernel_portable)
UNCHANNEL_NORM_KERNELS(kernel_avx2)
UNCHANNEL_NORM_KERNELS(kernel_avx512)
#undef UNCHANNEL_NORM_KERNELS

}  // namespace unchannel
