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

typedef float Quad __attribute__((vector_size(16)));

/// Sums over the lanes, first to last, of four packs.
inline Quad lane_sums(const Pack rows[4]) {
  Quad sum = {};
#if defined(SPECTROGRAPH_AVX2)
  const Pack low01 = __builtin_shufflevector(rows[0], rows[1], 0, 8, 1, 9, 4, 12, 5, 13);
  const Pack high01 = __builtin_shufflevector(rows[0], rows[1], 2, 10, 3, 11, 6, 14, 7, 15);
  const Pack low23 = __builtin_shufflevector(rows[2], rows[3], 0, 8, 1, 9, 4, 12, 5, 13);
  const Pack high23 = __builtin_shufflevector(rows[2], rows[3], 2, 10, 3, 11, 6, 14, 7, 15);
  const Pack lanes[4] = {
      // lane l of the four rows, then lane l + 4
      __builtin_shufflevector(low01, low23, 0, 1, 8, 9, 4, 5, 12, 13), __builtin_shufflevector(low01, low23, 2, 3, 10, 11, 6, 7, 14, 15),
      __builtin_shufflevector(high01, high23, 0, 1, 8, 9, 4, 5, 12, 13),
      __builtin_shufflevector(high01, high23, 2, 3, 10, 11, 6, 7, 14, 15)};
  for (const Pack& lane : lanes) {
    sum += __builtin_shufflevector(lane, lane, 0, 1, 2, 3);
  }
  for (const Pack& lane : lanes) {
    sum += __builtin_shufflevector(lane, lane, 4, 5, 6, 7);
  }
#else
  for (int lane = 0; lane < kWidth; ++lane) {
    sum += Quad{rows[0][lane], rows[1][lane], rows[2][lane], rows[3][lane]};
  }
#endif
  return sum;
}

/// Four neighbouring outputs, which share what they load.
template <int kStride>
inline Quad decimate_four(const float* in, const float* weights, int64_t taps) {
  constexpr int kRows = 4, kPacks = 4, kAtOnce = 2;  // kRows * kAtOnce sums fit into the registers
  Pack part[kPacks / kAtOnce][kRows];
  for (int half = 0; half < kPacks / kAtOnce; ++half) {
    Pack sum[kRows][kAtOnce] = {};
    for (int64_t k = half * kAtOnce * kWidth; k < taps; k += kPacks * kWidth) {
      for (int p = 0; p < kAtOnce; ++p) {
        const Pack weight = load(weights + k + p * kWidth);
        for (int row = 0; row < kRows; ++row) {
          sum[row][p] += weight * load(in + kStride * row + k + p * kWidth);
        }
      }
    }
    for (int row = 0; row < kRows; ++row) {
      part[half][row] = sum[row][0] + sum[row][1];
    }
  }
  for (int row = 0; row < kRows; ++row) {
    part[0][row] += part[1][row];
  }
  return lane_sums(part[0]);
}

template <int kStride>
void decimate(const float* in, const float* weights, int64_t taps, int64_t count, float* out) {
  for (int64_t j = 0; j < count; j += 4) {
    const int64_t first = j + 4 <= count ? j : count - 4;  // the last four may overlap those before
    const Quad sums = decimate_four<kStride>(in + kStride * first, weights, taps);
    __builtin_memcpy(out + first, &sums, sizeof sums);
  }
}

/// Writes the pixels of one cell.
template <int kStride, int kTaps>
inline void interpolate_cell(const float* coarse, const float* table, float* cell) {
  for (int phase = 0; phase < kStride; phase += kWidth) {
    Pack even = coarse[0] * load(table + phase);
    Pack odd = coarse[1] * load(table + kStride + phase);
    for (int tap = 2; tap < kTaps; tap += 2) {
      even += coarse[tap] * load(table + kStride * tap + phase);
      odd += coarse[tap + 1] * load(table + kStride * (tap + 1) + phase);
    }
    store(cell + phase, even + odd);
  }
}

template <int kStride, int kTaps>
void interpolate(const float* coarse, const float* table, int64_t pixels, float* out) {
  const int64_t cells = pixels / kStride;
  for (int64_t cell = 0; cell < cells; ++cell) {
    interpolate_cell<kStride, kTaps>(coarse + cell, table, out + kStride * cell);
  }
  if (kStride * cells < pixels) {
    float last[kStride];
    interpolate_cell<kStride, kTaps>(coarse + cells, table, last);
    for (int64_t phase = 0; kStride * cells + phase < pixels; ++phase) {
      out[kStride * cells + phase] = last[phase];
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
  { &band, &decimate<8>, &decimate<16>, &interpolate<8, 12>, &interpolate<16, 14>, &affine, &unchannel::sdk::add_white_noise }
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
