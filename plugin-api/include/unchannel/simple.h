/* unchannel/simple.h: a channel in C from one table and a few functions that see one sample each. Licence: Apache-2.0. C11, C++11 and
 * later.
 *
 * It covers float32 latents on the CPU and the capabilities mean, vjp and lift; everything else is channel.h itself (or channel.hpp in
 * C++). Schema checks, the canonical configuration, atomic configure, tensors, growing structs, cancellation and failed samples are done
 * here, so that a plugin holds its physics and nothing else:
 *
 *     static int32_t simulate(const unchannel_simple_sample* s) { ...; return UNCHANNEL_SAMPLE_OK; }
 *     static const unchannel_simple kChannel = {.descriptor = {.id = "org.example.mine", ...}, .simulate = simulate};
 *     UNCHANNEL_SIMPLE_MODULE(kChannel)
 *
 * Include it in one source file of the plugin. The functions of a channel with thread_class UNCHANNEL_THREADS_REENTRANT run concurrently:
 * they may read values and state, and write nothing but what their sample names.
 */
#ifndef UNCHANNEL_SIMPLE_H
#define UNCHANNEL_SIMPLE_H

#include <unchannel/channel.h>
#include <unchannel/random.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What configure reads (first block) and may change (second block). */
typedef struct unchannel_simple_setup {
  const unchannel_host* host;
  const unchannel_value* values; /* in the order of unchannel_simple.parameters, inside their ranges; live as long as the configuration */
  const int64_t* x_shape;        /* [x_ndim] of one signal; every axis >= 1 */
  int32_t x_ndim;

  int32_t y_ndim; /* preset to x's */
  int64_t y_shape[UNCHANNEL_MAX_NDIM];
  unchannel_latent_shape* latent_shapes; /* preset: all active, one number per sample */
  void* state;                           /* tables for later calls; handed to release when this configuration ends, also after a refusal */
  char error[256];                       /* why it is refused: place, rule, value, remedy */
} unchannel_simple_setup;

/* One sample of a batch call. What the call has no use for is NULL. */
typedef struct unchannel_simple_sample {
  const unchannel_value* values;
  const void* state;
  uint64_t key; /* of the call: derive one for each purpose, unchannel_derive(key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0)) */
  uint64_t id;  /* of the sample: its only name; there is no place in a batch */
  int64_t x_count, y_count;
  const float* x;              /* [x_count] simulate, mean, vjp; draw_latents where a latent depends on x */
  const float* const* latents; /* [latent_count] rows by index; NULL where not active, and for hidden latents in lift */
  float* const* drawn;         /* draw_latents: rows to write; NULL where this latent is not wanted */
  float* y;                    /* [y_count] simulate and mean write it completely */
  const float* cotangent;      /* [y_count] vjp reads */
  float* gradient;             /* [x_count] vjp writes (d mean / d x)^T cotangent */
  const float* observed;       /* [y_count] lift reads */
  float* lifted;               /* [x_count] lift writes */
} unchannel_simple_sample;

/* Returns UNCHANNEL_SAMPLE_OK or why this sample failed; its outputs are then zeroed and the other samples go on. */
typedef int32_t (*unchannel_simple_function)(const unchannel_simple_sample* sample);

/* The whole channel; NULL stands for what it does not have. */
typedef struct unchannel_simple {
  unchannel_descriptor descriptor;
  const unchannel_parameter* parameters;
  const unchannel_latent* latents; /* dtype UNCHANNEL_LATENT_F32 */
  uint32_t parameter_count, latent_count;
  /* Checks parameters and shape against each other. UNCHANNEL_OK, or another status and setup->error. NULL: y has x's shape. */
  int32_t (*configure)(unchannel_simple_setup* setup);
  void (*release)(void* state);
  unchannel_simple_function draw_latents; /* needed when there are latents that can be drawn */
  unchannel_simple_function simulate;     /* always needed */
  unchannel_simple_function mean, vjp, lift;
} unchannel_simple;

#ifdef __cplusplus
}
#endif

#include <unchannel/sdk/simple_batch.h>
#include <unchannel/sdk/simple_configure.h>

/* Defines the entry of the library. Once per plugin, at the end. `channel`: a static const unchannel_simple. */
#define UNCHANNEL_SIMPLE_MODULE(channel)                                                                                               \
  static int32_t unchannel_simple_create(const unchannel_host* host, void** instance) {                                                \
    return unchannel_simple_new(&(channel), host, instance);                                                                           \
  }                                                                                                                                    \
  static const unchannel_core_1 unchannel_simple_core = {                                                                              \
      unchannel_simple_create,       unchannel_simple_destroy,      unchannel_simple_parameter_count, unchannel_simple_parameter,      \
      unchannel_simple_latent_count, unchannel_simple_latent,       unchannel_simple_configure,       unchannel_simple_draw_latents,   \
      unchannel_simple_simulate,     unchannel_simple_get_extension};                                                                  \
  static int32_t unchannel_simple_init(const unchannel_host* host) {                                                                   \
    (void)host;                                                                                                                        \
    return UNCHANNEL_OK;                                                                                                               \
  }                                                                                                                                    \
  static void unchannel_simple_shutdown(void) {}                                                                                       \
  static uint32_t unchannel_simple_channel_count(void) { return 1; }                                                                   \
  static const unchannel_descriptor* unchannel_simple_descriptor(uint32_t index) { return index == 0 ? &(channel).descriptor : NULL; } \
  static const void* unchannel_simple_get_table(uint32_t index, const char* id) {                                                      \
    if (index != 0 || id == NULL) {                                                                                                    \
      return NULL;                                                                                                                     \
    }                                                                                                                                  \
    return strcmp(id, UNCHANNEL_CORE_1) == 0 ? (const void*)&unchannel_simple_core : unchannel_simple_extension(&(channel), id);       \
  }                                                                                                                                    \
  static const unchannel_module unchannel_simple_module = {UNCHANNEL_ABI_MAJOR,                                                        \
                                                           UNCHANNEL_ABI_MINOR,                                                        \
                                                           unchannel_simple_init,                                                      \
                                                           unchannel_simple_shutdown,                                                  \
                                                           unchannel_simple_channel_count,                                             \
                                                           unchannel_simple_descriptor,                                                \
                                                           unchannel_simple_get_table};                                                \
  const unchannel_module* unchannel_entry(uint32_t host_abi_major, uint32_t host_abi_minor) {                                          \
    (void)host_abi_major;                                                                                                              \
    (void)host_abi_minor;                                                                                                              \
    return &unchannel_simple_module;                                                                                                   \
  }

#endif /* UNCHANNEL_SIMPLE_H */
