// Compiled once or twice, see pixel_loops.hpp; hence no header with inline functions of external linkage may be included here: their copies
// for different processors would be merged by the linker.
#include "pixel_loops.hpp"

#include <unchannel/random.h>
#include <unchannel/sdk/white_noise.hpp>

namespace spectrograph {
namespace {

// Explicit vectors where the compiler's own choice of the loop to vectorise was measured to be several times slower.
#if defined(SPECTROGRAPH_AVX2)
constexpr int kWidth = 8;
#else
constexpr int kWidth = 4;
#endif
typedef float Pack __attribute__((vector_size(4 * kWidth)));

inline Pack load(const float* from) {
  Pack pack;
  __builtin_memcpy(&pack, from, sizeof pack);
  return pack;
}
inline void store(float* to, Pack pack) { __builtin_memcpy(to, &pack, sizeof pack); }

void band(const float* padded, const float* kernel, int64_t radius, int64_t pixels, float* out) {
  constexpr int kPacks = 4;  // independent sums, enough to hide the latency of a multiply-add
  int64_t i = 0;
  for (; i + kPacks * kWidth <= pixels; i += kPacks * kWidth) {
    const float* centre = padded + radius + i;
    Pack sum[kPacks];
    for (int p = 0; p < kPacks; ++p) {
      sum[p] = kernel[0] * load(centre + p * kWidth);
    }
    for (int64_t k = 1; k <= radius; ++k) {
      for (int p = 0; p < kPacks; ++p) {
        sum[p] += kernel[k] * (load(centre + p * kWidth - k) + load(centre + p * kWidth + k));
      }
    }
    for (int p = 0; p < kPacks; ++p) {
      store(out + i + p * kWidth, sum[p]);
    }
  }
  for (; i < pixels; ++i) {
    const float* centre = padded + radius + i;
    float sum = kernel[0] * centre[0];
    for (int64_t k = 1; k <= radius; ++k) {
      sum += kernel[k] * (centre[-k] + centre[k]);
    }
    out[i] = sum;
  }
}

void decimate(const float* in, const float* weights, int64_t taps, int64_t stride, int64_t count, float* out) {
  constexpr int kPacks = 4;
  for (int64_t j = 0; j < count; ++j) {
    const float* row = in + j * stride;
    Pack sum[kPacks] = {};
    for (int64_t k = 0; k < taps; k += kPacks * kWidth) {
      for (int p = 0; p < kPacks; ++p) {
        sum[p] += load(weights + k + p * kWidth) * load(row + k + p * kWidth);
      }
    }
    const Pack all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    float total = 0;
    for (int lane = 0; lane < kWidth; ++lane) {
      total += all[lane];
    }
    out[j] = total;
  }
}

/// Writes the 8 pixels of one cell.
inline void interpolate_cell(const float* coarse, const float* table, float* cell) {
  for (int phase = 0; phase < 8; phase += kWidth) {
    Pack even = coarse[0] * load(table + phase);
    Pack odd = coarse[1] * load(table + 8 + phase);
    for (int tap = 2; tap < 12; tap += 2) {
      even += coarse[tap] * load(table + 8 * tap + phase);
      odd += coarse[tap + 1] * load(table + 8 * tap + 8 + phase);
    }
    store(cell + phase, even + odd);
  }
}

void interpolate8(const float* coarse, const float* table, int64_t pixels, float* out) {
  const int64_t cells = pixels / 8;
  for (int64_t cell = 0; cell < cells; ++cell) {
    interpolate_cell(coarse + cell, table, out + 8 * cell);
  }
  if (8 * cells < pixels) {
    float last[8];
    interpolate_cell(coarse + cells, table, last);
    for (int64_t phase = 0; 8 * cells + phase < pixels; ++phase) {
      out[8 * cells + phase] = last[phase];
    }
  }
}

double affine(float scale, float shift, int64_t pixels, float* __restrict y) {
  constexpr int kLanes = 16;
  float sum[kLanes] = {};
  double total = 0;
  int64_t i = 0;
  for (; i + kLanes <= pixels; i += kLanes) {
    for (int lane = 0; lane < kLanes; ++lane) {
      const float value = scale * y[i + lane] + shift;
      y[i + lane] = value;
      sum[lane] += value < 0 ? -value : value;
    }
  }
  for (; i < pixels; ++i) {
    y[i] = scale * y[i] + shift;
    total += static_cast<double>(y[i] < 0 ? -y[i] : y[i]);
  }
  for (const float part : sum) {
    total += static_cast<double>(part);
  }
  return total;
}

}  // namespace

#define SPECTROGRAPH_LOOPS \
  { &band, &decimate, &interpolate8, &affine, &unchannel::sdk::add_white_noise }
#if defined(SPECTROGRAPH_AVX2)
extern const PixelLoops kAvx2Loops;
const PixelLoops kAvx2Loops = SPECTROGRAPH_LOOPS;
#else
static const PixelLoops kBaselineLoops = SPECTROGRAPH_LOOPS;
#if defined(SPECTROGRAPH_HAS_AVX2)
extern const PixelLoops kAvx2Loops;
const PixelLoops& pixel_loops() {
  static const bool wide = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0;
  return wide ? kAvx2Loops : kBaselineLoops;
}
#else
const PixelLoops& pixel_loops() { return kBaselineLoops; }
#endif
#endif

}  // namespace spectrograph
