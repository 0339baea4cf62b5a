// The loops of the jpeg channel over the pixels of one image, between planes of float32 and libjpeg's packed bytes. pixel_loops.cpp is
// compiled for the baseline processor and, on x86-64, once more for AVX2; without fused multiply-adds, so both give the same bits.
#pragma once

#include <cstdint>

namespace jpeg {

/// Levels (bytes) and data units, rounded to float32 after every operation but the one in brackets:
///   level = floor(min(max((x - low) * per_unit + 1/2, 0), 255))       per_unit = 255 / range
///   y     = low + [level * range / 255]
struct Scaling {
  /// Data value of level 0 and distance of level 255 from it.
  Scaling(double low_value, double range);
  Scaling() : Scaling(0, 1) {}
  float low, per_unit;
  /// range / 255 in two parts. The first has 16 bits, so its product with a level is exact, and a sum of two products gives the bits of a
  /// division, which is slow in vector code.
  float step_high, step_low;
};

/// Planes are `stride` values apart; each function does `count` successive pixels.
struct PixelLoops {
  /// Three planes to red | green << 8 | blue << 16. False when a value is not finite.
  bool (*pack_colour)(const float* planes, int64_t stride, int64_t count, const Scaling& scaling, uint32_t* packed);
  /// One plane, the same level three times.
  bool (*pack_grey)(const float* plane, int64_t count, const Scaling& scaling, uint32_t* packed);
  void (*unpack_colour)(const uint32_t* packed, int64_t stride, int64_t count, const Scaling& scaling, float* planes);
  void (*unpack_grey)(const uint8_t* packed, int64_t count, const Scaling& scaling, float* plane);
  /// y[i] += sigma * unchannel_normal(key, id, i, 0).
  void (*add_noise)(uint64_t key, uint64_t id, float sigma, int64_t count, float* y);
};

const PixelLoops& pixel_loops();

}  // namespace jpeg
