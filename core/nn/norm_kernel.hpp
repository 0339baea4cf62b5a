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

/// The passes of a group normalisation with affine map and silu(z) = z / (1 + e^−z) behind it, for one number type T. Arithmetic is
/// float32; silu is within 4 units of the last place of its exact value, plus |z| · 1e-38.
template <class T>
struct NormKernel {
  /// sum = Σ x
  void (*sums)(NormRows shape, const T* x, float* sum);
  /// sum = Σ (x − centre)²
  void (*squares)(NormRows shape, const T* x, const float* centre, float* sum);
  /// y = silu(gain (x − centre) + shift)
  void (*apply)(NormRows shape, const T* x, const float* centre, const float* gain, const float* shift, T* y);
  /// With z the argument above: dz [rows · width] = dy silu′(z), sum = Σ dz, product = Σ dz (x − centre)
  void (*backward_sums)(NormRows shape, const T* x, const T* dy, const float* centre, const float* gain, const float* shift, float* dz, float* sum,
                        float* product);
  /// dx = gain dz + slope (x − centre) + offset
  void (*backward_apply)(NormRows shape, const T* x, const float* dz, const float* centre, const float* gain, const float* slope,
                         const float* offset, T* dx);
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
UNCHANNEL_NORM_KERNELS(norm_portable)
UNCHANNEL_NORM_KERNELS(norm_avx2)
UNCHANNEL_NORM_KERNELS(norm_avx512)
#undef UNCHANNEL_NORM_KERNELS

}  // namespace unchannel
