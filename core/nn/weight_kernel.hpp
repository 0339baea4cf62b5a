#pragma once

#include <cstdint>

namespace unchannel {

/// Constants of one update by Adam [Kingma and Ba, algorithm 1] and of the moving average behind it.
struct AdamConstants {
  float gradient_scale;   ///< clipping
  float beta1, beta2;
  float share1, share2;   ///< 1 − β₁ and 1 − β₂, which float32 would lose digits of
  float rate;             ///< learning rate / (1 − β₁ⁿ)
  float root_correction;  ///< 1 / √(1 − β₂ⁿ)
  float epsilon;
  float average_share;    ///< in (0, 1]: average += share (weight − average)
};

struct WeightKernel {
  /// Σ x²; float32 within a few thousand values, float64 beyond them.
  double (*squares)(std::int64_t count, const float* x);
  /// One update of `count` weights: moments m and v, weight and average. Arithmetic is float32.
  void (*adam)(std::int64_t count, const AdamConstants& constants, const float* gradient, float* weight, float* m, float* v, float* average);
};

/// The fastest version that this processor has: AVX-512, AVX2 with FMA, or portable.
const WeightKernel& weight_kernel();

// One set a version, compiled from the same source with other options.
#define UNCHANNEL_WEIGHT_KERNELS(version)  \
  namespace version {                      \
  extern const WeightKernel weight_kernel; \
  }
UNCHANNEL_WEIGHT_KERNELS(kernel_portable)
UNCHANNEL_WEIGHT_KERNELS(kernel_avx2)
UNCHANNEL_WEIGHT_KERNELS(kernel_avx512)
#undef UNCHANNEL_WEIGHT_KERNELS

}  // namespace unchannel
