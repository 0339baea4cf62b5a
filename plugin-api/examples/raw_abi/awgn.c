/* A complete channel on channel.h alone: additive white Gaussian noise, y = x + sigma * n. unchannel/simple.h does most of this for you.
 *
 * Rule for call-argument structs: they grow at their end, so never compare struct_size with ==. unchannel_take_args() copies what the
 * caller has into our own struct, zeroes what it does not have yet and drops what we do not know yet. Every call below starts with it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <unchannel/channel.h>
#include <unchannel/random.h>

typedef struct awgn {
  const unchannel_host* host;
  int configured;
  double sigma;
  int32_t ndim; /* of one signal */
  int64_t shape[UNCHANNEL_MAX_NDIM];
  int64_t elements; /* of one signal */
  char canonical[64];
} awgn;

static int32_t fail(const awgn* self, int32_t status, const char* text) {
  if (self->host != NULL && self->host->set_error != NULL) {
    self->host->set_error(self->host, text);
  }
  return status;
}

/* ---- schema ---- */

static const unchannel_parameter kSigma = {"sigma",
                                           "data units",
                                           "Standard deviation of the noise.",
                                           NULL,
                                           NULL,
                                           0,
                                           UNCHANNEL_TYPE_F64,
                                           UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN,
                                           0,
                                           /* default, min, max: */ 0.5,
                                           0.0,
                                           HUGE_VAL,
                                           0,
                                           0,
                                           0};

static uint32_t parameter_count(void* instance) {
  (void)instance;
  return 1;
}
static const unchannel_parameter* parameter(void* instance, uint32_t index) {
  (void)instance;
  return index == 0 ? &kSigma : NULL;
}
static uint32_t latent_count(void* instance) {
  (void)instance;
  return 0;
}
static const unchannel_latent* latent(void* instance, uint32_t index) {
  (void)instance;
  (void)index;
  return NULL;
}

/* ---- life ---- */

static int32_t create(const unchannel_host* host, void** instance) {
  awgn* self = (awgn*)calloc(1, sizeof *self);
  if (self == NULL) {
    return UNCHANNEL_RETRYABLE;
  }
  self->host = host;
  *instance = self;
  return UNCHANNEL_OK;
}
static void destroy(void* instance) { free(instance); }

static int32_t configure(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result) {
  awgn* self = (awgn*)instance;
  awgn next = *self; /* everything happens in a copy: a refusal changes nothing */
  unchannel_configure_args in;
  unchannel_configure_result out;
  int32_t axis;
  if (unchannel_take_args(&in, sizeof in, args, UNCHANNEL_CONFIGURE_ARGS_V1_SIZE) != UNCHANNEL_OK ||
      unchannel_take_args(&out, sizeof out, result, UNCHANNEL_CONFIGURE_RESULT_V1_SIZE) != UNCHANNEL_OK) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: struct_size is below that of ABI 1.0, or the chain pointer is not NULL");
  }
  if (in.value_count != 1 || in.values[0] == NULL || strcmp(in.values[0]->id, kSigma.id) != 0 || in.values[0]->type != UNCHANNEL_TYPE_F64) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: expected one value, sigma");
  }
  if (in.x_ndim < 0 || in.x_ndim > UNCHANNEL_MAX_NDIM) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: x has too many axes");
  }
  next.sigma = in.values[0]->f64;
  if (!(next.sigma >= 0.0 && next.sigma < HUGE_VAL)) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "sigma must be finite and at least 0");
  }
  next.ndim = in.x_ndim;
  next.elements = 1;
  for (axis = 0; axis < in.x_ndim; ++axis) {
    if (in.x_shape[axis] < 1) {
      return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: every axis of x must be at least 1 long");
    }
    next.shape[axis] = in.x_shape[axis];
    next.elements *= in.x_shape[axis];
  }
  if (next.elements > 0xFFFFFFFF) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: a signal may have at most 2^32 - 1 elements");
  }
  /* The locale is "C" (the host sees to it), so this has a decimal point; 17 digits give the value back exactly. */
  snprintf(next.canonical, sizeof next.canonical, "sigma = %.16e\n", next.sigma);
  next.configured = 1;
  *self = next;
  memcpy(result->y_shape, self->shape, sizeof self->shape);
  result->y_ndim = self->ndim;
  result->workspace_bytes = 0;
  result->workspace_bytes_per_sample = 0;
  result->canonical = self->canonical;
  return UNCHANNEL_OK;
}

/* ---- calls ---- */

static int fits(const awgn* self, const unchannel_tensor* tensor, int64_t count) {
  int64_t stride = 1;
  int32_t axis;
  if (tensor == NULL || tensor->ndim != self->ndim + 1 || tensor->device.type != UNCHANNEL_DEVICE_CPU) {
    return 0;
  }
  if (tensor->dtype.code != UNCHANNEL_DTYPE_FLOAT || tensor->dtype.bits != 32 || tensor->shape[0] != count) {
    return 0;
  }
  for (axis = self->ndim; axis > 0; --axis) {
    if (tensor->shape[axis] != self->shape[axis - 1]) {
      return 0;
    }
    if (tensor->shape[axis] > 1 && tensor->strides[axis] != stride) {
      return 0;
    }
    stride *= tensor->shape[axis];
  }
  return count <= 1 || tensor->strides[0] == stride;
}

static int32_t draw_latents(void* instance, const unchannel_batch* batch, const unchannel_draw_latents_args* args) {
  unchannel_batch in;
  unchannel_draw_latents_args wanted;
  if (unchannel_take_args(&in, sizeof in, batch, UNCHANNEL_BATCH_V1_SIZE) != UNCHANNEL_OK ||
      unchannel_take_args(&wanted, sizeof wanted, args, UNCHANNEL_DRAW_LATENTS_ARGS_V1_SIZE) != UNCHANNEL_OK) {
    return fail((const awgn*)instance, UNCHANNEL_BAD_ARGUMENT, "draw_latents: struct_size or chain pointer");
  }
  return UNCHANNEL_OK; /* there are none */
}

/* mean and simulate differ in the noise only. */
static int32_t run(const awgn* self, const unchannel_batch* batch, const unchannel_tensor* x, const unchannel_tensor* y, int noisy) {
  unchannel_batch in;
  uint64_t key;
  int64_t i, element;
  if (unchannel_take_args(&in, sizeof in, batch, UNCHANNEL_BATCH_V1_SIZE) != UNCHANNEL_OK) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "batch: struct_size or chain pointer");
  }
  if (!self->configured) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "call configure first");
  }
  if (!fits(self, x, in.count) || !fits(self, y, in.count)) {
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "x or y: wrong shape, type or device");
  }
  key = unchannel_derive(in.key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  for (i = 0; i < in.count; ++i) {
    const float* from = (const float*)x->data + i * self->elements;
    float* to = (float*)y->data + i * self->elements;
    if (noisy) {
      unchannel_normal_fill(key, in.ids[i], 0, (uint64_t)self->elements, to); /* by the sample's id, never by its place in the batch */
    } else {
      memset(to, 0, (size_t)self->elements * sizeof *to);
    }
    for (element = 0; element < self->elements; ++element) {
      to[element] = from[element] + (float)self->sigma * to[element];
    }
  }
  return UNCHANNEL_OK;
}

static int32_t simulate(void* instance, const unchannel_batch* batch, const unchannel_simulate_args* args) {
  unchannel_simulate_args in;
  if (unchannel_take_args(&in, sizeof in, args, UNCHANNEL_SIMULATE_ARGS_V1_SIZE) != UNCHANNEL_OK) {
    return fail((const awgn*)instance, UNCHANNEL_BAD_ARGUMENT, "simulate: struct_size or chain pointer");
  }
  return run((const awgn*)instance, batch, in.x, in.y, 1);
}

static int32_t mean(void* instance, const unchannel_batch* batch, const unchannel_mean_args* args) {
  unchannel_mean_args in;
  if (unchannel_take_args(&in, sizeof in, args, UNCHANNEL_MEAN_ARGS_V1_SIZE) != UNCHANNEL_OK) {
    return fail((const awgn*)instance, UNCHANNEL_BAD_ARGUMENT, "mean: struct_size or chain pointer");
  }
  return run((const awgn*)instance, batch, in.x, in.mean, 0);
}

/* ---- tables ---- */

static const unchannel_mean_1 kMean = {mean};

static const void* get_extension(void* instance, const char* id) {
  (void)instance;
  return strcmp(id, UNCHANNEL_MEAN_1) == 0 ? &kMean : NULL;
}

static const unchannel_core_1 kCore = {create, destroy,   parameter_count, parameter, latent_count,
                                       latent, configure, draw_latents,    simulate,  get_extension};

static const unchannel_descriptor kDescriptor = {"org.example.awgn",
                                                 "Additive white Gaussian noise",
                                                 "1.0.0",
                                                 "",
                                                 "",
                                                 "Apache-2.0",
                                                 "y = x + sigma * n, n ~ N(0, 1) for every element.",
                                                 UNCHANNEL_DETERMINISM_PER_SAMPLE,
                                                 UNCHANNEL_THREADS_REENTRANT};

static int32_t init(const unchannel_host* host) {
  (void)host;
  return UNCHANNEL_OK;
}
static void shutdown_module(void) {}
static uint32_t channel_count(void) { return 1; }
static const unchannel_descriptor* channel_descriptor(uint32_t channel) { return channel == 0 ? &kDescriptor : NULL; }
static const void* get_table(uint32_t channel, const char* id) {
  if (channel != 0) {
    return NULL;
  }
  return strcmp(id, UNCHANNEL_CORE_1) == 0 ? (const void*)&kCore : get_extension(NULL, id);
}

static const unchannel_module kModule = {UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR, init,     shutdown_module,
                                         channel_count,       channel_descriptor,  get_table};

const unchannel_module* unchannel_entry(uint32_t host_abi_major, uint32_t host_abi_minor) {
  (void)host_abi_major;
  (void)host_abi_minor;
  return &kModule;
}
