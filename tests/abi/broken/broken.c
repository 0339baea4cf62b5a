/* One small channel, y = gain x + level + sigma n, which is right in everything when BREAK is CONFORMANT and wrong in one thing otherwise.
 * The conditions IS(…) are constants: the compiler keeps one way each. */
#include "broken.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unchannel/channel.h>
#include <unchannel/random.h>
#include <unistd.h>

#ifdef BREAK_LINK
extern void function_of_a_missing_library(void);
#endif
#ifdef BREAK_EXPORT
UNCHANNEL_EXPORT void dgemm_(void);
void dgemm_(void) {}
#endif

typedef struct channel {
  const unchannel_host* host;
  int configured;
  double gain, sigma;
  int64_t taps;
  char mode[16];
  int64_t elements;
  const float* retained; /* of an earlier call */
  float previous;        /* first element of the call before */
  char canonical[160];
} channel;

static int32_t fail(const channel* self, int32_t status, const char* text) {
  self->host->set_error(self->host, text);
  return status;
}

/* ---- schema ---- */

static const char* const kModes[] = {"plain", "doubled"};
static const unchannel_parameter kParameters[] = {
    {"gain", "1", "Factor.", NULL, NULL, 0, UNCHANNEL_TYPE_F64, UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN, 0, 1.5, 0.25, 8.0, 0, 0, 0},
    {"sigma", "data units", "Standard deviation of the noise.", NULL, NULL, 0, UNCHANNEL_TYPE_F64, UNCHANNEL_PARAMETER_MIN_EXCLUSIVE, 0,
     0.3, 0.0, HUGE_VAL, 0, 0, 0},
    {"taps", "1", "Not used.", NULL, NULL, 0, UNCHANNEL_TYPE_I64, 0, 0, 0, 0, 0, 3, 1, 9},
    {"mode", "", "doubled: the gain counts twice.", IS(PARAMETER_SCHEMA) ? "standard" : "plain", kModes, 2, UNCHANNEL_TYPE_ENUM, 0, 0, 0, 0,
     0, 0, 0, 0}};
#define PARAMETERS 4u
static const unchannel_latent kLevel = {"level", "data units",         "Background.",           "uniform(0, 1)",
                                        NULL,    UNCHANNEL_LATENT_F32, UNCHANNEL_LATENT_VISIBLE};

static uint32_t parameter_count(void* instance) { return (void)instance, PARAMETERS; }
static const unchannel_parameter* parameter(void* instance, uint32_t i) { return (void)instance, i < PARAMETERS ? &kParameters[i] : NULL; }
static uint32_t latent_count(void* instance) { return (void)instance, 1; }
static const unchannel_latent* latent(void* instance, uint32_t i) { return (void)instance, i == 0 ? &kLevel : NULL; }

/* ---- life ---- */

static void* sleeper(void* user) {
  for (;;) pause();
  return user;
}

static int32_t create(const unchannel_host* host, void** instance) {
  channel* self = (channel*)calloc(1, sizeof *self);
  if (self == NULL) return UNCHANNEL_RETRYABLE;
  self->host = host;
  *instance = self;
  return UNCHANNEL_OK;
}

static void destroy(void* instance) {
  if (IS(LIFECYCLE_2000)) {
    volatile char* lost = (volatile char*)malloc(256);
    if (lost != NULL) lost[0] = 1;
  }
  free(instance);
}

/* Every value against the schema; next is a copy. */
static const char* read_values(channel* next, const unchannel_configure_args* in) {
  uint32_t i;
  if (in->value_count != PARAMETERS) return "configure: expected four values";
  for (i = 0; i < PARAMETERS; ++i) {
    const unchannel_value* value = in->values[i];
    const unchannel_parameter* p = &kParameters[i];
    if (strcmp(value->id, p->id) != 0 || value->type != p->type) return "configure: a value has another id or type than its parameter";
    if (p->type == UNCHANNEL_TYPE_F64) {
      const int low = (p->flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE) ? value->f64 <= p->min_f64 : value->f64 < p->min_f64;
      if (!(isfinite(value->f64) && !low && value->f64 <= p->max_f64) && !(IS(PARAMETER_REJECT) && i == 0))
        return "configure: gain or sigma is out of range";
    }
    if (p->type == UNCHANNEL_TYPE_I64 && (value->i64 < p->min_i64 || value->i64 > p->max_i64)) return "configure: taps is out of range";
    if (p->type == UNCHANNEL_TYPE_ENUM && strcmp(value->text, "plain") != 0 && strcmp(value->text, "doubled") != 0 && !IS(PARAMETER_SCHEMA))
      return "configure: mode must be plain or doubled";
  }
  next->gain = in->values[0]->f64;
  next->sigma = in->values[1]->f64;
  next->taps = in->values[2]->i64;
  snprintf(next->mode, sizeof next->mode, "%s", in->values[3]->text);
  if (strcmp(next->mode, "doubled") == 0) next->gain *= 2;
  if (IS(PARAMETER_BOUNDS) && next->taps == 9) abort();
  return NULL;
}

static int32_t configure(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result) {
  channel* self = (channel*)instance;
  channel next = *self;
  unchannel_configure_args in;
  unchannel_configure_result out;
  const char* problem;
  if (unchannel_take_args(&in, sizeof in, args, UNCHANNEL_CONFIGURE_ARGS_V1_SIZE) != UNCHANNEL_OK ||
      unchannel_take_args(&out, sizeof out, result, UNCHANNEL_CONFIGURE_RESULT_V1_SIZE) != UNCHANNEL_OK)
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: struct_size or chain pointer");
  problem = read_values(&next, &in);
  if (problem != NULL) return fail(self, UNCHANNEL_BAD_ARGUMENT, problem);
  if (IS(SHAPE_NEGOTIATION) && self->configured) self->elements = in.x_ndim == 1 ? in.x_shape[0] : 0; /* before it is accepted */
  if (in.x_ndim != 1 || in.x_shape[0] < 1) return fail(self, UNCHANNEL_BAD_ARGUMENT, "configure: x must have the shape [D], D >= 1");
  next.elements = in.x_shape[0];
  next.configured = 1;
  snprintf(next.canonical, sizeof next.canonical,
           IS(CONFIG_ROUND_TRIP) ? "gain = %.4f\nsigma = %.16e\ntaps = %lld\nmode = \"%s\"\n"
                                 : "gain = %.16e\nsigma = %.16e\ntaps = %lld\nmode = \"%s\"\n",
           in.values[0]->f64, next.sigma, (long long)next.taps, next.mode);
  *self = next;
  result->y_ndim = 1;
  result->y_shape[0] = next.elements;
  result->workspace_bytes = 64;
  result->workspace_bytes_per_sample = (uint64_t)next.elements * sizeof(float);
  result->canonical = self->canonical;
  memset(out.latent_shapes[0], 0, sizeof *out.latent_shapes[0]);
  out.latent_shapes[0]->active = 1;
  return UNCHANNEL_OK;
}

#include "broken_calls.h"
#include "broken_module.h"
