#include "norm_kernel.hpp"
#include "weight_kernel.hpp"

namespace unchannel {
namespace {

/// The best of three versions of one thing.
template <class T>
T& chosen([[maybe_unused]] T& avx512, [[maybe_unused]] T& avx2, T& portable) {
#ifdef UNCHANNEL_VECTOR_KERNELS
  if (__builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq")) return avx512;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2;
#endif
  return portable;
}

}  // namespace

// Where there are no vector versions, their names must not be linked.
#ifdef UNCHANNEL_VECTOR_KERNELS
#define UNCHANNEL_CHOICE(name) chosen(kernel_avx512::name, kernel_avx2::name, kernel_portable::name)
#else
#define UNCHANNEL_CHOICE(name) chosen(kernel_portable::name, kernel_portable::name, kernel_portable::name)
#endif

template <>
const NormKernel<float>& norm_kernel<float>() {
  static const NormKernel<float>& best = UNCHANNEL_CHOICE(float_kernel);
  return best;
}

template <>
const NormKernel<Bfloat16Bits>& norm_kernel<Bfloat16Bits>() {
  static const NormKernel<Bfloat16Bits>& best = UNCHANNEL_CHOICE(half_kernel);
  return best;
}

const WeightKernel& weight_kernel() {
  static const WeightKernel& best = UNCHANNEL_CHOICE(weight_kernel);
  return best;
}

}  // namespace unchannel
