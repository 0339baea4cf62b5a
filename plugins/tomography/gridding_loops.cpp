// Compiled once or twice, see gridding_loops.hpp; hence no header with inline functions of external linkage may be included here: their
// copies for different processors would be merged by the linker.
#include "gridding_loops.hpp"

namespace tomography {
namespace {

// Eight floats: four complex numbers. Never passed by value, because the calling convention of such vectors depends on the processor.
typedef float Pack __attribute__((vector_size(32)));
typedef int Choice __attribute__((vector_size(32)));

inline void load(const float* from, Pack& to) { __builtin_memcpy(&to, from, sizeof to); }
inline void store(const Pack& from, float* to) { __builtin_memcpy(to, &from, sizeof from); }

/// w0 … w7 → (w0, w0, w1, w1, …): a real weight for both parts of each complex number.
inline void twice(const float* weights, Pack& low, Pack& high) {
  Pack w;
  load(weights, w);
  low = __builtin_shuffle(w, Choice{0, 0, 1, 1, 2, 2, 3, 3});
  high = __builtin_shuffle(w, Choice{4, 4, 5, 5, 6, 6, 7, 7});
}

void gather(const float* grid, int64_t pitch, const GridPoint* points, int64_t count, float* out) {
  for (int64_t i = 0; i < count; ++i) {
    const GridPoint& point = points[i];
    const float* line = grid + 2 * point.start;
    Pack low = {}, high = {};
    for (int64_t l = 0; l < kKernelWidth; ++l, line += 2 * pitch) {
      Pack a, b;
      load(line, a);
      load(line + 8, b);
      low += point.line[l] * a;
      high += point.line[l] * b;
    }
    Pack along_low, along_high;
    twice(point.element, along_low, along_high);
    const Pack sum = low * along_low + high * along_high;
    out[2 * i] = (sum[0] + sum[4]) + (sum[2] + sum[6]);
    out[2 * i + 1] = (sum[1] + sum[5]) + (sum[3] + sum[7]);
  }
}

void spread(const float* in, const GridPoint* points, int64_t count, int64_t pitch, float* grid) {
  for (int64_t i = 0; i < count; ++i) {
    const GridPoint& point = points[i];
    const float re = in[2 * i], im = in[2 * i + 1];
    const Pack value = {re, im, re, im, re, im, re, im};
    Pack low, high;
    twice(point.element, low, high);
    low *= value;
    high *= value;
    float* line = grid + 2 * point.start;
    for (int64_t l = 0; l < kKernelWidth; ++l, line += 2 * pitch) {
      Pack a, b;
      load(line, a);
      load(line + 8, b);
      a += point.line[l] * low;
      b += point.line[l] * high;
      store(a, line);
      store(b, line + 8);
    }
  }
}

}  // namespace

#define TOMOGRAPHY_LOOPS \
  { &gather, &spread }
#if defined(TOMOGRAPHY_AVX2)
extern const GriddingLoops kAvx2Loops;
const GriddingLoops kAvx2Loops = TOMOGRAPHY_LOOPS;
#else
static const GriddingLoops kBaselineLoops = TOMOGRAPHY_LOOPS;
#if defined(TOMOGRAPHY_HAS_AVX2)
extern const GriddingLoops kAvx2Loops;
const GriddingLoops& gridding_loops() {
  static const bool wide = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  return wide ? kAvx2Loops : kBaselineLoops;
}
#else
const GriddingLoops& gridding_loops() { return kBaselineLoops; }
#endif
#endif

}  // namespace tomography
