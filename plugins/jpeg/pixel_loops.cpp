// Compiled once or twice, see pixel_loops.hpp; hence no header with inline functions of external linkage may be included here: their copies
// for different processors would be merged by the linker.
#include "pixel_loops.hpp"

#include <unchannel/random.h>
#include <unchannel/sdk/white_noise.hpp>

namespace jpeg {
namespace {

/// Clipped as an integer: floats between 0 and 255 are ordered as their bits, and integers have minimum and maximum instructions that mean
/// the same for NaN as the language does. A NaN becomes 0 or 255.
inline uint32_t to_level(float x, const Scaling& scaling) {
  float level = (x - scaling.low) * scaling.per_unit + 0.5F;
  int32_t bits;
  __builtin_memcpy(&bits, &level, sizeof bits);
  bits = bits > 0 ? bits : 0;
  bits = bits < 0x437F0000 ? bits : 0x437F0000;  // 255.0F
  __builtin_memcpy(&level, &bits, sizeof bits);
  return static_cast<uint32_t>(static_cast<int32_t>(level));
}

/// The highest bit is set when x is infinite or NaN. In integers: an `or` over floats would keep the loop from being vectorised.
inline uint32_t not_finite(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return (bits & 0x7FFFFFFFU) + 0x00800000U;
}

inline float to_value(uint32_t level, const Scaling& scaling) {
  const auto exact = static_cast<float>(static_cast<int32_t>(level));
  return scaling.low + (exact * scaling.step_high + exact * scaling.step_low);
}

bool pack_colour(const float* __restrict planes, int64_t stride, int64_t count, const Scaling& to, uint32_t* __restrict packed) {
  const Scaling scaling = to;  // a local copy cannot alias the output
  const float* green = planes + stride;
  const float* blue = planes + 2 * stride;
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    packed[i] = to_level(planes[i], scaling) | to_level(green[i], scaling) << 8 | to_level(blue[i], scaling) << 16;
    bad |= not_finite(planes[i]) | not_finite(green[i]) | not_finite(blue[i]);
  }
  return bad >> 31 == 0;
}

bool pack_grey(const float* __restrict plane, int64_t count, const Scaling& to, uint32_t* __restrict packed) {
  const Scaling scaling = to;
  uint32_t bad = 0;
  for (int64_t i = 0; i < count; ++i) {
    const uint32_t level = to_level(plane[i], scaling);
    packed[i] = level | level << 8 | level << 16;
    bad |= not_finite(plane[i]);
  }
  return bad >> 31 == 0;
}

void unpack_colour(const uint32_t* __restrict packed, int64_t stride, int64_t count, const Scaling& from, float* __restrict planes) {
  const Scaling scaling = from;
  for (int64_t i = 0; i < count; ++i) {
    planes[i] = to_value(packed[i] & 255U, scaling);
    planes[stride + i] = to_value(packed[i] >> 8 & 255U, scaling);
    planes[2 * stride + i] = to_value(packed[i] >> 16 & 255U, scaling);
  }
}

void unpack_grey(const uint8_t* __restrict packed, int64_t count, const Scaling& from, float* __restrict plane) {
  const Scaling scaling = from;
  for (int64_t i = 0; i < count; ++i) {
    plane[i] = to_value(packed[i], scaling);
  }
}

}  // namespace

#define JPEG_LOOPS \
  { &pack_colour, &pack_grey, &unpack_colour, &unpack_grey, &unchannel::sdk::add_white_noise }
#if defined(JPEG_AVX2)
extern const PixelLoops kAvx2Loops;
const PixelLoops kAvx2Loops = JPEG_LOOPS;
#else
Scaling::Scaling(double low_value, double range)
    : low(static_cast<float>(low_value)),
      per_unit(static_cast<float>(255 / range)),
      step_high(static_cast<float>(range / 255)),
      step_low(0) {
  uint32_t bits;
  __builtin_memcpy(&bits, &step_high, sizeof bits);
  bits &= 0xFFFFFF00U;
  __builtin_memcpy(&step_high, &bits, sizeof bits);
  step_low = static_cast<float>(range / 255 - static_cast<double>(step_high));
}

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
