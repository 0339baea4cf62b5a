// Compiled once or twice, see pixel_loops.hpp; hence no header with inline functions of external linkage may be included here: their copies
// for different processors would be merged by the linker.
#include "pixel_loops.hpp"

#include <unchannel/random.h>

namespace jpeg {
namespace {

/// A NaN becomes 0.
inline uint32_t to_byte(float x, const Scaling& scaling) {
  const float level = (x - scaling.low) * scaling.per_unit + 0.5F;
  const float above = level > 0.0F ? level : 0.0F;
  return static_cast<uint32_t>(static_cast<int32_t>(above < 255.0F ? above : 255.0F));
}

/// Not 0 when x is infinite or NaN. In integers: comparisons of floats keep the loop from being vectorised.
inline uint32_t not_finite(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7F800000U) == 0x7F800000U ? 1U : 0U;
}

inline float to_value(uint32_t byte, const Scaling& scaling) {
  return scaling.low + (static_cast<float>(static_cast<int32_t>(byte)) * scaling.range) / 255.0F;
}

bool pack_colour(const float* __restrict planes, int64_t pixels, const Scaling& to, uint32_t* __restrict packed) {
  const Scaling scaling = to;  // a local copy cannot alias the output
  const float* green = planes + pixels;
  const float* blue = planes + 2 * pixels;
  uint32_t bad = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    packed[i] = to_byte(planes[i], scaling) | to_byte(green[i], scaling) << 8 | to_byte(blue[i], scaling) << 16;
    bad |= not_finite(planes[i]) | not_finite(green[i]) | not_finite(blue[i]);
  }
  return bad == 0;
}

bool pack_grey(const float* __restrict plane, int64_t pixels, const Scaling& to, uint8_t* __restrict packed) {
  const Scaling scaling = to;
  uint32_t bad = 0;
  for (int64_t i = 0; i < pixels; ++i) {
    packed[i] = static_cast<uint8_t>(to_byte(plane[i], scaling));
    bad |= not_finite(plane[i]);
  }
  return bad == 0;
}

void unpack_colour(const uint32_t* __restrict packed, int64_t pixels, const Scaling& from, float* __restrict planes) {
  const Scaling scaling = from;
  for (int64_t i = 0; i < pixels; ++i) {
    planes[i] = to_value(packed[i] & 255U, scaling);
    planes[pixels + i] = to_value(packed[i] >> 8 & 255U, scaling);
    planes[2 * pixels + i] = to_value(packed[i] >> 16 & 255U, scaling);
  }
}

void unpack_grey(const uint8_t* __restrict packed, int64_t pixels, const Scaling& from, float* __restrict plane) {
  const Scaling scaling = from;
  for (int64_t i = 0; i < pixels; ++i) {
    plane[i] = to_value(packed[i], scaling);
  }
}

void add_noise(uint64_t key, uint64_t id, float sigma, int64_t count, float* __restrict y) {
  float normals[UNCHANNEL_CHUNK];
  for (int64_t i = 0; i < count; i += UNCHANNEL_CHUNK) {
    const int64_t left = count - i;
    unchannel_chunk_normals(key, id, static_cast<uint32_t>(i / 4), normals);
    if (left >= UNCHANNEL_CHUNK) {
      for (int lane = 0; lane < UNCHANNEL_CHUNK; ++lane) {
        y[i + lane] += sigma * normals[lane];
      }
    } else {
      for (int64_t lane = 0; lane < left; ++lane) {
        y[i + lane] += sigma * normals[lane];
      }
    }
  }
}

}  // namespace

#define JPEG_LOOPS \
  { &pack_colour, &pack_grey, &unpack_colour, &unpack_grey, &add_noise }
#if defined(JPEG_AVX2)
extern const PixelLoops kAvx2Loops;
const PixelLoops kAvx2Loops = JPEG_LOOPS;
#else
static const PixelLoops kBaselineLoops = JPEG_LOOPS;
#if defined(JPEG_HAS_AVX2)
extern const PixelLoops kAvx2Loops;
const PixelLoops& pixel_loops() {
  static const bool wide = __builtin_cpu_supports("avx2") != 0;
  return wide ? kAvx2Loops : kBaselineLoops;
}
#else
const PixelLoops& pixel_loops() { return kBaselineLoops; }
#endif
#endif

}  // namespace jpeg
