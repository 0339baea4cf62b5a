/* y = 2 x: the trivial model of docs/benchmarks/umbridge.md as a compiled channel. */
#include <unchannel/simple.h>

static int32_t simulate(const unchannel_simple_sample* s) {
  for (int64_t i = 0; i < s->y_count; ++i) {
    s->y[i] = 2 * s->x[i];
  }
  return UNCHANNEL_SAMPLE_OK;
}

static const unchannel_simple kChannel = {.descriptor = {.id = "org.example.double",
                                                         .name = "double",
                                                         .version = "1.0.0",
                                                         .vendor = "",
                                                         .url = "",
                                                         .licence = "Apache-2.0",
                                                         .description = "y = 2 x",
                                                         .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                                                         .thread_class = UNCHANNEL_THREADS_REENTRANT},
                                          .simulate = simulate};

UNCHANNEL_SIMPLE_MODULE(kChannel)
