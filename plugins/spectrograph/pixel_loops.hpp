// The hot loops of the spectrograph over the pixels of one spectrum. pixel_loops.cpp is compiled for the baseline processor and, on x86-64,
// once more for AVX2 + FMA; pixel_loops() picks one for the life of the process, so the bits depend on the kind of CPU and on nothing else.
#pragma once

#include <cstdint>

namespace spectrograph {

struct PixelLoops {
  /// out[i] = sum over |k| <= radius of kernel[|k|] * padded[i + radius + k], i = 0 … pixels - 1. padded: pixels + 2 * radius values.
  void (*band)(const float* padded, const float* kernel, int64_t radius, int64_t pixels, float* out);
  /// out[j] = sum over k of weights[k] * in[S j + k], j = 0 … count - 1, S = 8 or 16; weights has `taps` entries, taps a multiple of 32;
  /// count >= 4.
  void (*decimate8)(const float* in, const float* weights, int64_t taps, int64_t count, float* out);
  void (*decimate16)(const float* in, const float* weights, int64_t taps, int64_t count, float* out);
  /// out[S c + p] = sum over t < T of table[S t + p] * coarse[c + t], for all S c + p < pixels; S = 8 and T = 12, S = 16 and T = 14.
  void (*interpolate8)(const float* coarse, const float* table, int64_t pixels, float* out);
  void (*interpolate16)(const float* coarse, const float* table, int64_t pixels, float* out);
  /// y = scale * y + shift; returns the sum of |y|.
  double (*affine)(float scale, float shift, int64_t pixels, float* y);
  /// y += sigma * n, n[i] = unchannel_normal(key, id, i, 0).
  void (*add_noise)(uint64_t key, uint64_t id, float sigma, int64_t pixels, float* y);
};

const PixelLoops& pixel_loops();

}  // namespace spectrograph
