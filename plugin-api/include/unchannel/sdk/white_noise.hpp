// White noise for one sample, compiled with the including file's own instruction set.
#ifndef UNCHANNEL_SDK_WHITE_NOISE_HPP
#define UNCHANNEL_SDK_WHITE_NOISE_HPP

#include <unchannel/random.h>

#include <cstdint>

namespace unchannel {
namespace sdk {

/// y[i] += sigma * unchannel_normal(key, id, i, 0) for i in [0, count). Internal linkage: copies compiled for different instruction sets
/// must not replace one another.
static inline void add_white_noise(uint64_t key, uint64_t id, float sigma, int64_t count, float* __restrict y) {
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

}  // namespace sdk
}  // namespace unchannel

#endif
