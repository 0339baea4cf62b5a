/* A channel on simple.h with a bit of everything, for simple_test.cpp: y = gain x (+ shift[0]); `choice` and `text` make it misbehave. */
#include <unchannel/simple.h>

enum { GAIN, COUNT, SHIFTED, CHOICE, TEXT, PARAMETER_COUNT };
static const char* const kChoices[] = {"plain", "live states", "halves"};
static const unchannel_parameter kParameters[PARAMETER_COUNT] = {
    {.id = "gain",
     .unit = "1",
     .type = UNCHANNEL_TYPE_F64,
     .default_f64 = 1,
     .max_f64 = 10,
     .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE,
     .doc = "Gain."},
    {.id = "count", .unit = "1", .type = UNCHANNEL_TYPE_I64, .min_i64 = -1, .max_i64 = 5, .doc = "Not used."},
    {.id = "shifted", .unit = "", .type = UNCHANNEL_TYPE_BOOL, .max_i64 = 1, .doc = "With latents."},
    {.id = "choice",
     .unit = "",
     .type = UNCHANNEL_TYPE_ENUM,
     .default_text = "plain",
     .choices = kChoices,
     .choice_count = 3,
     .doc = "What it does."},
    {.id = "text", .unit = "", .type = UNCHANNEL_TYPE_STRING, .default_text = "", .doc = "refuse, refuse silently or fail."}};

enum { SHIFT, WEIGHT, LATENT_COUNT };
static const unchannel_latent kLatents[LATENT_COUNT] = {{.id = "shift",
                                                         .unit = "1",
                                                         .prior = "uniform(0, 1)",
                                                         .dtype = UNCHANNEL_LATENT_F32,
                                                         .flags = UNCHANNEL_LATENT_VISIBLE,
                                                         .doc = "Shift."},
                                                        {.id = "weight",
                                                         .unit = "1",
                                                         .prior = "none",
                                                         .dtype = UNCHANNEL_LATENT_F32,
                                                         .flags = UNCHANNEL_LATENT_DATA_ONLY,
                                                         .doc = "From data."}};

static int live_states; /* the test configures from one thread */

static int32_t configure(unchannel_simple_setup* s) {
  const int shifted = s->values[SHIFTED].i64 == 1;
  s->state = malloc(1);
  live_states += 1;
  s->latent_shapes[SHIFT].active = s->latent_shapes[WEIGHT].active = shifted;
  s->latent_shapes[SHIFT].ndim = 1;
  s->latent_shapes[SHIFT].extent[0] = 2;
  if (strcmp(s->values[CHOICE].text, "halves") == 0) {
    s->y_shape[0] /= 2;
  }
  if (strcmp(s->values[TEXT].text, "refuse") == 0) {
    snprintf(s->error, sizeof s->error, "text: must not be refuse.");
    return UNCHANNEL_BAD_ARGUMENT;
  }
  return UNCHANNEL_OK;
}

static void release(void* state) {
  free(state);
  live_states -= 1;
}

static int32_t draw_latents(const unchannel_simple_sample* s) {
  const uint64_t key = unchannel_derive(s->key, unchannel_tag(UNCHANNEL_TAG_LATENT, SHIFT));
  if (s->drawn[SHIFT] != NULL) {
    unchannel_uniform_fill(key, s->id, 0, 2, s->drawn[SHIFT]);
  }
  return UNCHANNEL_SAMPLE_OK;
}

static int32_t simulate(const unchannel_simple_sample* s) {
  const float shift = s->latents[SHIFT] != NULL ? s->latents[SHIFT][0] : 0;
  int64_t i;
  for (i = 0; i < s->y_count; ++i) {
    s->y[i] = (float)s->values[GAIN].f64 * s->x[i] + shift;
  }
  if (strcmp(s->values[CHOICE].text, "live states") == 0) {
    s->y[0] = (float)live_states;
  }
  return strcmp(s->values[TEXT].text, "fail") == 0 && s->id % 2 == 1 ? UNCHANNEL_SAMPLE_PLUGIN + 7 : UNCHANNEL_SAMPLE_OK;
}

static int32_t lift(const unchannel_simple_sample* s) { /* every observed value twice */
  int64_t i;
  for (i = 0; i < s->x_count; ++i) {
    s->lifted[i] = s->observed[i * s->y_count / s->x_count];
  }
  return UNCHANNEL_SAMPLE_OK;
}

static const unchannel_simple kChannel = {.descriptor = {.id = "test.simple",
                                                         .name = "simple",
                                                         .version = "1.0.0",
                                                         .vendor = "",
                                                         .url = "",
                                                         .licence = "",
                                                         .description = "y = gain x + shift[0].",
                                                         .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                                                         .thread_class = UNCHANNEL_THREADS_INSTANCE_SERIAL},
                                          .parameters = kParameters,
                                          .parameter_count = PARAMETER_COUNT,
                                          .latents = kLatents,
                                          .latent_count = LATENT_COUNT,
                                          .configure = configure,
                                          .release = release,
                                          .draw_latents = draw_latents,
                                          .simulate = simulate,
                                          .lift = lift};
UNCHANNEL_SIMPLE_MODULE(kChannel)
