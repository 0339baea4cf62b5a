#include "norm_kernel.hpp"

namespace unchannel {
namespace {

#ifdef UNCHANNEL_NORM_VECTORS
bool has_avx512() { return __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"); }
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif

}  // namespace

template <>
const NormKernel<float>& norm_kernel<float>() {
#ifdef UNCHANNEL_NORM_VECTORS
  static const NormKernel<float>& chosen =
      has_avx512() ? norm_avx512::float_kernel : has_avx2() ? norm_avx2::float_kernel : norm_portable::float_kernel;
  return chosen;
#else
  return norm_portable::float_kernel;
#endif
}

template <>
const NormKernel<Bfloat16Bits>& norm_kernel<Bfloat16Bits>() {
#ifdef UNCHANNEL_NORM_VECTORS
  static const NormKernel<Bfloat16Bits>& chosen =
      has_avx512() ? norm_avx512::half_kernel : has_avx2() ? norm_avx2::half_kernel : norm_portable::half_kernel;
  return chosen;
#else
  return norm_portable::half_kernel;
#endif
}

}  // namespace unchannel
