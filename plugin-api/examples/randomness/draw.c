/* Numbers of three samples, as a plugin draws them: cc -I.../include draw.c -o draw && ./draw. draw.py prints the same. */
#include <stdio.h>
#include <unchannel/random.h>

int main(void) {
  const uint64_t call_key = 42; /* a plugin gets it with the call, and the ids too */
  const uint64_t noise_key = unchannel_derive(call_key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  const uint64_t defect_key = unchannel_derive(call_key, unchannel_tag(UNCHANNEL_TAG_NOISE, 1)); /* another source, another key */

  for (uint64_t id = 100; id < 103; ++id) {
    float n[4];
    unchannel_normal_fill(noise_key, id, 0, 4, n); /* elements 0 ... 3 of this sample */
    const uint32_t pixel = unchannel_below(unchannel_word(defect_key, id, 0, 0), 1024);

    /* A rejection sampler takes block 0, 1, 2, ... of its element: a normal, truncated at 1. */
    uint32_t block = 0;
    while (unchannel_normal(defect_key, id, 1, block) > 1) ++block;
    printf("%.9g %.9g %.9g %.9g %u %.9g\n", n[0], n[1], n[2], n[3], pixel, unchannel_normal(defect_key, id, 1, block));
  }
  return 0;
}
