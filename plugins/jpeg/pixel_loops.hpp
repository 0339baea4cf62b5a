// The loops of the jpeg channel over the pixels of one image, between planes of float32 and libjpeg's packed bytes. pixel_loops.cpp is
// compiled for the baseline processor and, on x86-64, once more for AVX2; without fused multiply-adds, so both give the same bits.
#pragma once

#include <cstdint>

namespace jpeg {

/// Data units and bytes, all in float32:
///   byte = floor(min(max((x - low) * per_unit + 1/2, 0), 255))    per_unit = 255 / range
///   y    = low + (byte * range) / 255
struct Scaling {
  float low = 0;
  float range = 1;
  float per_unit = 255;
};

struct PixelLoops {
  /// planes: [3][pixels] to red | green << 8 | blue << 16. False when a value is not finite.
  bool (*pack_colour)(const float* planes, int64_t pixels, const Scaling& scaling, uint32_t* packed);
  bool (*pack_grey)(const float* plane, int64_t pixels, const Scaling& scaling, uint8_t* packed);
  void (*unpack_colour)(const uint32_t* packed, int64_t pixels, const Scaling& scaling, float* planes);
  void (*unpack_grey)(const uint8_t* packed, int64_t pixels, const Scaling& scaling, float* plane);
  /// y[i] += sigma * unchannel_normal(key, id, i, 0).
  void (*add_noise)(uint64_t key, uint64_t id, float sigma, int64_t count, float* y);
};

const PixelLoops& pixel_loops();

}  // namespace jpeg
