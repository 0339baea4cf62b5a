/* The part of unchannel/simple.h that runs: from a batch of tensors to one function call per sample. Included by simple.h only. */
#ifndef UNCHANNEL_SDK_SIMPLE_BATCH_H
#define UNCHANNEL_SDK_SIMPLE_BATCH_H

#include <unchannel/channel.h>

#ifdef __cplusplus
extern "C" {
#endif

#define UNCHANNEL_SIMPLE_MAX_LATENTS 32

/* One configuration in force; never changed, only replaced. */
typedef struct unchannel_simple_config {
  unchannel_value* values;
  unchannel_latent_shape* latent_shapes;
  char* canonical;
  void* state;
  int32_t x_ndim, y_ndim;
  int64_t x_shape[UNCHANNEL_MAX_NDIM], y_shape[UNCHANNEL_MAX_NDIM];
  int64_t x_count, y_count;
} unchannel_simple_config;

typedef struct unchannel_simple_instance {
  const unchannel_simple* channel;
  const unchannel_host* host;
  unchannel_simple_config* config; /* NULL before the first configure */
} unchannel_simple_instance;

static inline int32_t unchannel_simple_fail(const unchannel_simple_instance* self, int32_t status, const char* text) {
  if (self->host != NULL && self->host->set_error != NULL) {
    self->host->set_error(self->host, text);
  }
  return status;
}

/* The tensors of one call; what is not among its arguments stays NULL. */
typedef struct unchannel_simple_tensors {
  const unchannel_tensor *x, *y, *cotangent, *gradient, *observed, *lifted;
  const unchannel_tensor* const* latents;
  uint32_t latent_count;
  int draws;    /* latents are written */
  int complete; /* every active latent must be there */
} unchannel_simple_tensors;

/* A float32 CPU tensor [count, shape], contiguous. NULL is fine here: absent. */
static inline int unchannel_simple_fits(const unchannel_tensor* t, int64_t count, const int64_t* shape, int32_t ndim) {
  int64_t stride = 1;
  int32_t axis;
  if (t == NULL) {
    return 1;
  }
  if (t->ndim != ndim + 1 || t->shape == NULL || t->strides == NULL || t->shape[0] != count || t->device.type != UNCHANNEL_DEVICE_CPU ||
      t->dtype.code != UNCHANNEL_DTYPE_FLOAT || t->dtype.bits != 32 || t->dtype.lanes != 1 || t->byte_offset != 0) {
    return 0;
  }
  for (axis = ndim; axis > 0; --axis) {
    if (t->shape[axis] != shape[axis - 1] || (t->shape[axis] > 1 && t->strides[axis] != stride)) {
      return 0;
    }
    stride *= t->shape[axis];
  }
  return (count <= 1 || t->strides[0] == stride) && (t->data != NULL || count == 0);
}

/* Row i of a tensor whose rows have `width` elements. */
static inline float* unchannel_simple_row(const unchannel_tensor* t, int64_t width, int64_t i) {
  return t != NULL ? (float*)t->data + i * width : NULL;
}

static inline int64_t unchannel_simple_width(const unchannel_latent_shape* shape) {
  int64_t width = 1;
  int32_t axis;
  for (axis = 0; axis < shape->ndim; ++axis) {
    width *= shape->extent[axis];
  }
  return width;
}

/* The rule that the latents break, or NULL. */
static inline const char* unchannel_simple_bad_latents(const unchannel_simple_instance* self, int64_t count,
                                                       const unchannel_simple_tensors* t) {
  uint32_t i;
  if (t->latent_count != self->channel->latent_count || t->latent_count > UNCHANNEL_SIMPLE_MAX_LATENTS ||
      (t->latent_count > 0 && t->latents == NULL)) {
    return "the latents are missing, or there are more than 32.";
  }
  for (i = 0; i < t->latent_count; ++i) {
    const unchannel_latent_shape* shape = &self->config->latent_shapes[i];
    if (t->latents[i] == NULL && t->complete && shape->active) {
      return "an active latent is missing.";
    }
    if (t->latents[i] != NULL && t->draws && (self->channel->latents[i].flags & UNCHANNEL_LATENT_DATA_ONLY) != 0) {
      return "this latent belongs to the observations and cannot be drawn: set its source to \"data\" (or \"own\").";
    }
    if (!unchannel_simple_fits(t->latents[i], count, shape->extent, shape->ndim)) {
      return "a latent has the wrong shape, type or device, or is not contiguous.";
    }
  }
  return NULL;
}

/* The rule that the arguments break, or NULL. */
static inline const char* unchannel_simple_bad_call(const unchannel_simple_instance* self, const unchannel_batch* batch,
                                                    const unchannel_simple_tensors* t) {
  const unchannel_simple_config* config = self->config;
  if (config == NULL) {
    return "the channel is not configured: call configure first.";
  }
  if (batch->count < 0 || (batch->count > 0 && (batch->ids == NULL || batch->sample_status == NULL))) {
    return "the batch has no ids or no sample_status.";
  }
  if (batch->device.type != UNCHANNEL_DEVICE_CPU) {
    return "this channel has no cuda/1: the batch must be in CPU memory.";
  }
  if (!unchannel_simple_fits(t->x, batch->count, config->x_shape, config->x_ndim) ||
      !unchannel_simple_fits(t->gradient, batch->count, config->x_shape, config->x_ndim) ||
      !unchannel_simple_fits(t->lifted, batch->count, config->x_shape, config->x_ndim) ||
      !unchannel_simple_fits(t->y, batch->count, config->y_shape, config->y_ndim) ||
      !unchannel_simple_fits(t->cotangent, batch->count, config->y_shape, config->y_ndim) ||
      !unchannel_simple_fits(t->observed, batch->count, config->y_shape, config->y_ndim)) {
    return "a tensor has the wrong shape, type or device, or is not contiguous.";
  }
  return unchannel_simple_bad_latents(self, batch->count, t);
}

static inline void unchannel_simple_zero(float* row, int64_t count) {
  if (row != NULL) {
    memset(row, 0, (size_t)count * sizeof *row);
  }
}

/* A failed sample: its status, and zeros in what it should have written. */
static inline void unchannel_simple_give_up(const unchannel_simple_config* config, const unchannel_simple_sample* s,
                                            const int64_t widths[UNCHANNEL_SIMPLE_MAX_LATENTS], uint32_t latent_count) {
  uint32_t n;
  unchannel_simple_zero(s->y, config->y_count);
  unchannel_simple_zero(s->gradient, config->x_count);
  unchannel_simple_zero(s->lifted, config->x_count);
  for (n = 0; s->drawn != NULL && n < latent_count; ++n) {
    unchannel_simple_zero(s->drawn[n], widths[n]);
  }
}

static inline int32_t unchannel_simple_run(const unchannel_simple_instance* self, const unchannel_batch* batch,
                                           const unchannel_simple_tensors* t, unchannel_simple_function function) {
  const unchannel_simple_config* config = self->config;
  const unchannel_host_should_stop_1* stop = NULL;
  unchannel_batch in;
  const char* rule;
  int64_t widths[UNCHANNEL_SIMPLE_MAX_LATENTS];
  int64_t i;
  uint32_t n;
  if (unchannel_take_args(&in, sizeof in, batch, UNCHANNEL_BATCH_V1_SIZE) != UNCHANNEL_OK) {
    return unchannel_simple_fail(self, UNCHANNEL_BAD_ARGUMENT, "batch: struct_size or chain pointer is wrong.");
  }
  rule = unchannel_simple_bad_call(self, &in, t);
  if (rule != NULL) {
    return unchannel_simple_fail(self, UNCHANNEL_BAD_ARGUMENT, rule);
  }
  if (self->host != NULL && self->host->get_service != NULL) {
    stop = (const unchannel_host_should_stop_1*)self->host->get_service(self->host, UNCHANNEL_SERVICE_SHOULD_STOP_1);
  }
  for (n = 0; n < t->latent_count; ++n) {
    widths[n] = unchannel_simple_width(&config->latent_shapes[n]);
  }
  for (i = 0; function != NULL && i < in.count; ++i) {
    float* rows[UNCHANNEL_SIMPLE_MAX_LATENTS] = {NULL};
    unchannel_simple_sample s;
    int32_t status;
    if (stop != NULL && i % 16 == 0 && stop->should_stop(self->host) != 0) {
      return unchannel_simple_fail(self, UNCHANNEL_CANCELLED, "stopped as the host asked.");
    }
    for (n = 0; n < t->latent_count; ++n) {
      rows[n] = unchannel_simple_row(t->latents[n], widths[n], i);
    }
    memset(&s, 0, sizeof s);
    s.values = config->values;
    s.state = config->state;
    s.key = in.key;
    s.id = in.ids[i];
    s.x_count = config->x_count;
    s.y_count = config->y_count;
    s.x = unchannel_simple_row(t->x, config->x_count, i);
    s.y = unchannel_simple_row(t->y, config->y_count, i);
    s.cotangent = unchannel_simple_row(t->cotangent, config->y_count, i);
    s.gradient = unchannel_simple_row(t->gradient, config->x_count, i);
    s.observed = unchannel_simple_row(t->observed, config->y_count, i);
    s.lifted = unchannel_simple_row(t->lifted, config->x_count, i);
    s.latents = t->draws ? NULL : (const float* const*)rows;
    s.drawn = t->draws ? rows : NULL;
    status = function(&s);
    if (status != UNCHANNEL_SAMPLE_OK) {
      in.sample_status[i] = status;
      unchannel_simple_give_up(config, &s, widths, t->latent_count);
    }
  }
  return UNCHANNEL_OK;
}

/* Every batch call: read its growing struct, name its tensors, run. */
#define UNCHANNEL_SIMPLE_CALL(name, args_struct, V1_SIZE, ...)                                                           \
  static inline int32_t unchannel_simple_##name(void* instance, const unchannel_batch* batch, const args_struct* args) { \
    const unchannel_simple_instance* self = (const unchannel_simple_instance*)instance;                                  \
    args_struct in;                                                                                                      \
    unchannel_simple_tensors t;                                                                                          \
    int complete = 1;                                                                                                    \
    memset(&t, 0, sizeof t);                                                                                             \
    if (unchannel_take_args(&in, sizeof in, args, V1_SIZE) != UNCHANNEL_OK) {                                            \
      return unchannel_simple_fail(self, UNCHANNEL_BAD_ARGUMENT, #name ": struct_size or chain pointer is wrong.");      \
    }                                                                                                                    \
    t.complete = 1;                                                                                                      \
    t.latents = in.latents;                                                                                              \
    t.latent_count = in.latent_count;                                                                                    \
    __VA_ARGS__                                                                                                          \
    return complete ? unchannel_simple_run(self, batch, &t, self->channel->name)                                         \
                    : unchannel_simple_fail(self, UNCHANNEL_BAD_ARGUMENT, #name ": a tensor is missing.");               \
  }
#define UNCHANNEL_SIMPLE_TENSOR(to, from) \
  t.to = in.from;                         \
  complete = complete && in.from != NULL;

UNCHANNEL_SIMPLE_CALL(draw_latents, unchannel_draw_latents_args, UNCHANNEL_DRAW_LATENTS_ARGS_V1_SIZE, t.x = in.x; t.draws = 1;
                      t.complete = 0;)
UNCHANNEL_SIMPLE_CALL(simulate, unchannel_simulate_args, UNCHANNEL_SIMULATE_ARGS_V1_SIZE,
                      UNCHANNEL_SIMPLE_TENSOR(x, x) UNCHANNEL_SIMPLE_TENSOR(y, y))
UNCHANNEL_SIMPLE_CALL(mean, unchannel_mean_args, UNCHANNEL_MEAN_ARGS_V1_SIZE,
                      UNCHANNEL_SIMPLE_TENSOR(x, x) UNCHANNEL_SIMPLE_TENSOR(y, mean))
UNCHANNEL_SIMPLE_CALL(vjp, unchannel_vjp_args, UNCHANNEL_VJP_ARGS_V1_SIZE,
                      UNCHANNEL_SIMPLE_TENSOR(x, x) UNCHANNEL_SIMPLE_TENSOR(cotangent, cotangent)
                          UNCHANNEL_SIMPLE_TENSOR(gradient, gradient))
UNCHANNEL_SIMPLE_CALL(lift, unchannel_lift_args, UNCHANNEL_LIFT_ARGS_V1_SIZE,
                      UNCHANNEL_SIMPLE_TENSOR(observed, y) UNCHANNEL_SIMPLE_TENSOR(lifted, lifted) t.complete = 0;)
#undef UNCHANNEL_SIMPLE_CALL
#undef UNCHANNEL_SIMPLE_TENSOR

static inline const void* unchannel_simple_extension(const unchannel_simple* channel, const char* id) {
  static const unchannel_mean_1 kMean = {unchannel_simple_mean};
  static const unchannel_vjp_1 kVjp = {unchannel_simple_vjp};
  static const unchannel_lift_1 kLift = {unchannel_simple_lift};
  if (channel->mean != NULL && strcmp(id, UNCHANNEL_MEAN_1) == 0) {
    return &kMean;
  }
  if (channel->vjp != NULL && strcmp(id, UNCHANNEL_VJP_1) == 0) {
    return &kVjp;
  }
  return channel->lift != NULL && strcmp(id, UNCHANNEL_LIFT_1) == 0 ? &kLift : NULL;
}
static inline const void* unchannel_simple_get_extension(void* instance, const char* id) {
  return id != NULL ? unchannel_simple_extension(((const unchannel_simple_instance*)instance)->channel, id) : NULL;
}

#ifdef __cplusplus
}
#endif

#endif /* UNCHANNEL_SDK_SIMPLE_BATCH_H */
