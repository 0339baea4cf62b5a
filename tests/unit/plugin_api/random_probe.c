/* The C functions as a library, so that Python can call them through ctypes. */
#include <unchannel/random.h>

void probe_philox(const uint32_t* counter, uint64_t key, uint32_t* words);
uint64_t probe_derive(uint64_t key, uint32_t domain, uint64_t value);
void probe_normal(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out);
void probe_uniform(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out);
float probe_normal_at(uint64_t key, uint64_t id, uint32_t element, uint32_t block);

void probe_philox(const uint32_t* counter, uint64_t key, uint32_t* words) { unchannel_philox4x32_10(counter, key, words); }
uint64_t probe_derive(uint64_t key, uint32_t domain, uint64_t value) { return unchannel_derive(key, unchannel_tag(domain, value)); }
void probe_normal(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out) {
  unchannel_normal_fill(key, id, element0, count, out);
}
void probe_uniform(uint64_t key, uint64_t id, uint32_t element0, uint64_t count, float* out) {
  unchannel_uniform_fill(key, id, element0, count, out);
}
float probe_normal_at(uint64_t key, uint64_t id, uint32_t element, uint32_t block) { return unchannel_normal(key, id, element, block); }
