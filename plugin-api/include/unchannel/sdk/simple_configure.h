/* The part of unchannel/simple.h that creates and configures: schema checks, the canonical configuration, atomic replacement. Included by
 * simple.h only. */
#ifndef UNCHANNEL_SDK_SIMPLE_CONFIGURE_H
#define UNCHANNEL_SDK_SIMPLE_CONFIGURE_H

#include <unchannel/channel.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline void unchannel_simple_drop(const unchannel_simple* channel, unchannel_simple_config* config) {
  uint32_t i;
  if (config == NULL) {
    return;
  }
  if (channel->release != NULL && config->state != NULL) {
    channel->release(config->state);
  }
  for (i = 0; config->values != NULL && i < channel->parameter_count; ++i) {
    free((void*)config->values[i].text);
  }
  free(config->values);
  free(config->latent_shapes);
  free(config->canonical);
  free(config);
}

static inline int32_t unchannel_simple_new(const unchannel_simple* channel, const unchannel_host* host, void** instance) {
  unchannel_simple_instance* self = (unchannel_simple_instance*)calloc(1, sizeof *self);
  if (self == NULL) {
    return UNCHANNEL_RETRYABLE;
  }
  self->channel = channel;
  self->host = host;
  *instance = self;
  return UNCHANNEL_OK;
}
static inline void unchannel_simple_destroy(void* instance) {
  unchannel_simple_instance* self = (unchannel_simple_instance*)instance;
  if (self != NULL) {
    unchannel_simple_drop(self->channel, self->config);
    free(self);
  }
}
static inline uint32_t unchannel_simple_parameter_count(void* instance) {
  return ((const unchannel_simple_instance*)instance)->channel->parameter_count;
}
static inline const unchannel_parameter* unchannel_simple_parameter(void* instance, uint32_t index) {
  const unchannel_simple* channel = ((const unchannel_simple_instance*)instance)->channel;
  return index < channel->parameter_count ? &channel->parameters[index] : NULL;
}
static inline uint32_t unchannel_simple_latent_count(void* instance) {
  return ((const unchannel_simple_instance*)instance)->channel->latent_count;
}
static inline const unchannel_latent* unchannel_simple_latent(void* instance, uint32_t index) {
  const unchannel_simple* channel = ((const unchannel_simple_instance*)instance)->channel;
  return index < channel->latent_count ? &channel->latents[index] : NULL;
}

/* The rule that a value breaks, or NULL. */
static inline const char* unchannel_simple_broken_rule(const unchannel_parameter* p, const unchannel_value* value) {
  uint32_t i;
  if (value == NULL || value->id == NULL || strcmp(value->id, p->id) != 0 || value->type != p->type) {
    return "the value is missing or of another type than declared";
  }
  switch (p->type) {
    case UNCHANNEL_TYPE_F64: {
      const int low = (p->flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE) != 0 ? value->f64 > p->min_f64 : value->f64 >= p->min_f64;
      const int high = (p->flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE) != 0 ? value->f64 < p->max_f64 : value->f64 <= p->max_f64;
      return low && high && value->f64 - value->f64 == 0 ? NULL : "the value is outside the declared range or not finite";
    }
    case UNCHANNEL_TYPE_I64:
      return value->i64 >= p->min_i64 && value->i64 <= p->max_i64 ? NULL : "the value is outside the declared range";
    case UNCHANNEL_TYPE_BOOL:
      return value->i64 == 0 || value->i64 == 1 ? NULL : "the value is neither true nor false";
    default:
      if (value->text == NULL) {
        return "the text is missing";
      }
      for (i = 0; i < p->choice_count; ++i) {
        if (strcmp(value->text, p->choices[i]) == 0) {
          return NULL;
        }
      }
      return p->type == UNCHANNEL_TYPE_ENUM ? "the value is none of the declared choices" : NULL;
  }
}

static inline char* unchannel_simple_copy_text(const char* text) {
  const size_t bytes = strlen(text) + 1;
  char* copy = (char*)malloc(bytes);
  if (copy != NULL) {
    memcpy(copy, text, bytes);
  }
  return copy;
}

/* One line of TOML; returns its length. `to` holds 64 + strlen(id) + 6 * strlen(text) bytes. */
static inline size_t unchannel_simple_toml_line(const unchannel_value* value, char* to) {
  char* end = to + sprintf(to, "%s = ", value->id);
  const char* c;
  switch (value->type) {
    case UNCHANNEL_TYPE_F64:
      end += sprintf(end, "%.16e\n", value->f64); /* 17 digits give the value back exactly; the host sees to the locale "C" */
      break;
    case UNCHANNEL_TYPE_I64:
      end += sprintf(end, "%" PRId64 "\n", value->i64);
      break;
    case UNCHANNEL_TYPE_BOOL:
      end += sprintf(end, "%s\n", value->i64 == 1 ? "true" : "false");
      break;
    default:
      *end++ = '"';
      for (c = value->text; *c != '\0'; ++c) {
        if (*c == '"' || *c == '\\') {
          *end++ = '\\';
          *end++ = *c;
        } else if ((unsigned char)*c < 0x20 || *c == 0x7F) {
          end += sprintf(end, "\\u%04X", (unsigned)*c);
        } else {
          *end++ = *c;
        }
      }
      end += sprintf(end, "\"\n");
  }
  return (size_t)(end - to);
}

static inline char* unchannel_simple_canonical(const unchannel_simple* channel, const unchannel_value* values) {
  size_t bytes = 1;
  uint32_t i;
  char* text;
  char* end;
  for (i = 0; i < channel->parameter_count; ++i) {
    bytes += 64 + strlen(values[i].id) + (values[i].text != NULL ? 6 * strlen(values[i].text) : 0);
  }
  text = (char*)calloc(1, bytes);
  end = text;
  for (i = 0; text != NULL && i < channel->parameter_count; ++i) {
    end += unchannel_simple_toml_line(&values[i], end);
  }
  return text;
}

/* Copies of the values, since the host's live for the call only. */
static inline int32_t unchannel_simple_take_values(const unchannel_simple* channel, const unchannel_value* const* given,
                                                   unchannel_simple_config* config, char error[256]) {
  uint32_t i;
  for (i = 0; i < channel->parameter_count; ++i) {
    const unchannel_parameter* p = &channel->parameters[i];
    const char* rule = unchannel_simple_broken_rule(p, given[i]);
    if (rule != NULL) {
      snprintf(error, 256, "%s: %s. See `unchannel plugins info`.", p->id, rule);
      return UNCHANNEL_BAD_ARGUMENT;
    }
    config->values[i] = *given[i];
    config->values[i].id = p->id;
    config->values[i].text = NULL;
    if (p->type >= UNCHANNEL_TYPE_ENUM) {
      config->values[i].text = unchannel_simple_copy_text(given[i]->text);
      if (config->values[i].text == NULL) {
        return UNCHANNEL_RETRYABLE;
      }
    }
  }
  config->canonical = unchannel_simple_canonical(channel, config->values);
  return config->canonical != NULL ? UNCHANNEL_OK : UNCHANNEL_RETRYABLE;
}

static inline int32_t unchannel_simple_elements(const int64_t* shape, int32_t ndim, int64_t* count) {
  int32_t axis;
  if (ndim < 0 || ndim > UNCHANNEL_MAX_NDIM) {
    return 0;
  }
  *count = 1;
  for (axis = 0; axis < ndim; ++axis) {
    if (shape[axis] < 1 || shape[axis] > 0xFFFFFFFFLL / *count) { /* an element has a 32 bit place, see random.h */
      return 0;
    }
    *count *= shape[axis];
  }
  return 1;
}

/* The author's configure on presets, then what it returned is checked. */
static inline int32_t unchannel_simple_ask(const unchannel_simple* channel, const unchannel_host* host, const unchannel_configure_args* in,
                                           unchannel_simple_config* config, char error[256]) {
  unchannel_simple_setup setup;
  uint32_t i;
  int32_t status = UNCHANNEL_OK;
  memset(&setup, 0, sizeof setup);
  setup.host = host;
  setup.values = config->values;
  setup.x_shape = in->x_shape;
  setup.x_ndim = setup.y_ndim = in->x_ndim;
  memcpy(setup.y_shape, in->x_shape, (size_t)in->x_ndim * sizeof *in->x_shape);
  setup.latent_shapes = config->latent_shapes;
  for (i = 0; i < channel->latent_count; ++i) {
    config->latent_shapes[i].active = 1;
  }
  if (channel->configure != NULL) {
    status = channel->configure(&setup);
  }
  config->state = setup.state;
  if (status != UNCHANNEL_OK) {
    memcpy(error, setup.error, sizeof setup.error);
    return status;
  }
  memcpy(config->x_shape, in->x_shape, (size_t)in->x_ndim * sizeof *in->x_shape);
  memcpy(config->y_shape, setup.y_shape, sizeof config->y_shape);
  config->x_ndim = in->x_ndim;
  config->y_ndim = setup.y_ndim;
  if (!unchannel_simple_elements(config->y_shape, config->y_ndim, &config->y_count)) {
    snprintf(error, 256, "y: at most %d axes, each at least 1 long, and below 2^32 elements.", UNCHANNEL_MAX_NDIM);
    return UNCHANNEL_BAD_ARGUMENT;
  }
  return UNCHANNEL_OK;
}

static inline int32_t unchannel_simple_build(const unchannel_simple_instance* self, const unchannel_configure_args* in,
                                             unchannel_simple_config* config, char error[256]) {
  const unchannel_simple* channel = self->channel;
  int32_t status;
  config->values = (unchannel_value*)calloc(channel->parameter_count + 1, sizeof *config->values);
  config->latent_shapes = (unchannel_latent_shape*)calloc(channel->latent_count + 1, sizeof *config->latent_shapes);
  if (config->values == NULL || config->latent_shapes == NULL) {
    return UNCHANNEL_RETRYABLE;
  }
  if (in->value_count != channel->parameter_count) {
    snprintf(error, 256, "configure: got %u values for %u parameters.", in->value_count, channel->parameter_count);
    return UNCHANNEL_BAD_ARGUMENT;
  }
  if (!unchannel_simple_elements(in->x_shape, in->x_ndim, &config->x_count)) {
    snprintf(error, 256, "x: at most %d axes, each at least 1 long, and below 2^32 elements.", UNCHANNEL_MAX_NDIM);
    return UNCHANNEL_BAD_ARGUMENT;
  }
  status = unchannel_simple_take_values(channel, in->values, config, error);
  return status != UNCHANNEL_OK ? status : unchannel_simple_ask(channel, self->host, in, config, error);
}

static inline int32_t unchannel_simple_configure(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result) {
  unchannel_simple_instance* self = (unchannel_simple_instance*)instance;
  unchannel_configure_args in;
  unchannel_configure_result out;
  unchannel_simple_config* next;
  char error[256] = "out of memory";
  int32_t status;
  uint32_t i;
  if (unchannel_take_args(&in, sizeof in, args, UNCHANNEL_CONFIGURE_ARGS_V1_SIZE) != UNCHANNEL_OK ||
      unchannel_take_args(&out, sizeof out, result, UNCHANNEL_CONFIGURE_RESULT_V1_SIZE) != UNCHANNEL_OK ||
      out.latent_count != self->channel->latent_count) {
    return unchannel_simple_fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: struct_size, chain pointer or the number of latents is wrong.");
  }
  next = (unchannel_simple_config*)calloc(1, sizeof *next);
  status = next != NULL ? unchannel_simple_build(self, &in, next, error) : UNCHANNEL_RETRYABLE;
  if (status != UNCHANNEL_OK) {
    unchannel_simple_drop(self->channel, next);
    return unchannel_simple_fail(self, status, error);
  }
  unchannel_simple_drop(self->channel, self->config); /* nothing below can fail */
  self->config = next;
  for (i = 0; i < out.latent_count; ++i) {
    *out.latent_shapes[i] = next->latent_shapes[i];
  }
  memcpy(result->y_shape, next->y_shape, sizeof next->y_shape);
  result->y_ndim = next->y_ndim;
  result->workspace_bytes = 0;
  result->workspace_bytes_per_sample = 0;
  result->canonical = next->canonical;
  return UNCHANNEL_OK;
}

#ifdef __cplusplus
}
#endif

#endif /* UNCHANNEL_SDK_SIMPLE_CONFIGURE_H */
