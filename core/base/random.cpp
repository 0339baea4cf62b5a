#include "random.hpp"

#include <unchannel/random.h>

namespace unchannel {

#if defined(__x86_64__)
#define UNCHANNEL_WIDEST_VECTORS __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define UNCHANNEL_WIDEST_VECTORS
#endif

namespace {
// Domain of the tags the engine derives keys with; plugins and users have their own (see random.h).
constexpr std::uint32_t kEngineDomain = 1;
}  // namespace

RandomKey RandomKey::derive(std::uint64_t tag) const { return RandomKey(unchannel_derive(value_, unchannel_tag(kEngineDomain, tag))); }

// Clones let the plain loops of random.h use the widest vectors of the CPU; integer arithmetic and the fixed order of every
// floating-point operation keep the bits independent of the batch split.
UNCHANNEL_WIDEST_VECTORS static void fill_normal(std::uint64_t key, std::uint64_t id, std::uint32_t first, std::uint32_t count,
                                                 float* out) {
  unchannel_normal_fill(key, id, first, count, out);
}

void RandomKey::normal(std::uint64_t id, std::uint32_t first, std::uint32_t count, float* out) const {
  fill_normal(value_, id, first, count, out);
}

void RandomKey::uniform(std::uint64_t id, std::uint32_t first, std::uint32_t count, float* out) const {
  unchannel_uniform_fill(value_, id, first, count, out);
}

std::uint64_t RandomKey::bits(std::uint64_t id, std::uint32_t element) const {
  std::uint32_t words[4];
  unchannel_words4(value_, id, element, 0, words);
  return static_cast<std::uint64_t>(words[0]) << 32 | words[1];
}

}  // namespace unchannel
