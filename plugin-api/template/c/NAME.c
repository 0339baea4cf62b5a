/* @NAME@: y = g x + sigma n for every element, n ~ N(0, 1). The gain g is a latent: one number per sample that the model may see.
 * Replace the formula; keep the rules: every random number from (key, id), no state between calls, no printing. */
#include <math.h>
#include <unchannel/simple.h>

enum { GAIN_MIN, GAIN_MAX, NOISE_SIGMA, PARAMETER_COUNT };
static const unchannel_parameter kParameters[PARAMETER_COUNT] = {
    {.id = "gain_min", .unit = "1", .type = UNCHANNEL_TYPE_F64, .default_f64 = 0.8, .max_f64 = HUGE_VAL, .doc = "Smallest gain."},
    {.id = "gain_max", .unit = "1", .type = UNCHANNEL_TYPE_F64, .default_f64 = 1.2, .max_f64 = HUGE_VAL, .doc = "Largest gain."},
    {.id = "noise_sigma",
     .unit = "data units",
     .type = UNCHANNEL_TYPE_F64,
     .default_f64 = 0.1,
     .max_f64 = HUGE_VAL,
     .flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN,
     .doc = "Standard deviation of the noise."}};

enum { GAIN, LATENT_COUNT };
static const unchannel_latent kLatents[LATENT_COUNT] = {{.id = "gain",
                                                         .unit = "1",
                                                         .prior = "uniform(gain_min, gain_max)",
                                                         .dtype = UNCHANNEL_LATENT_F32,
                                                         .flags = UNCHANNEL_LATENT_VISIBLE,
                                                         .doc = "Gain of this sample's exposure."}};

static int32_t configure(unchannel_simple_setup* s) { /* y has the shape of x: nothing else to say */
  if (s->values[GAIN_MIN].f64 > s->values[GAIN_MAX].f64) {
    snprintf(s->error, sizeof s->error, "gain_min = %g must not be above gain_max = %g.", s->values[GAIN_MIN].f64, s->values[GAIN_MAX].f64);
    return UNCHANNEL_BAD_ARGUMENT;
  }
  return UNCHANNEL_OK;
}

static int32_t draw_latents(const unchannel_simple_sample* s) {
  const uint64_t key = unchannel_derive(s->key, unchannel_tag(UNCHANNEL_TAG_LATENT, GAIN));
  const double low = s->values[GAIN_MIN].f64, high = s->values[GAIN_MAX].f64;
  if (s->drawn[GAIN] != NULL) { /* NULL: this latent has another source, such as the observations */
    s->drawn[GAIN][0] = (float)(low + (high - low) * (double)unchannel_uniform(key, s->id, 0, 0));
  }
  return UNCHANNEL_SAMPLE_OK;
}

static int32_t mean(const unchannel_simple_sample* s) { /* E[y | x, gain], no noise */
  for (int64_t i = 0; i < s->y_count; ++i) {
    s->y[i] = s->latents[GAIN][0] * s->x[i];
  }
  return isfinite(s->latents[GAIN][0]) ? UNCHANNEL_SAMPLE_OK : UNCHANNEL_SAMPLE_OUT_OF_DOMAIN;
}

static int32_t simulate(const unchannel_simple_sample* s) {
  const uint64_t key = unchannel_derive(s->key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  const float sigma = (float)s->values[NOISE_SIGMA].f64;
  unchannel_normal_fill(key, s->id, 0, (uint64_t)s->y_count, s->y); /* by the sample's id, never by its place in a batch */
  for (int64_t i = 0; i < s->y_count; ++i) {
    s->y[i] = s->latents[GAIN][0] * s->x[i] + sigma * s->y[i];
  }
  return isfinite(s->latents[GAIN][0]) ? UNCHANNEL_SAMPLE_OK : UNCHANNEL_SAMPLE_OUT_OF_DOMAIN;
}

static int32_t vjp(const unchannel_simple_sample* s) { /* gradient = (d mean / d x)^T cotangent */
  for (int64_t i = 0; i < s->x_count; ++i) {
    s->gradient[i] = s->latents[GAIN][0] * s->cotangent[i];
  }
  return isfinite(s->latents[GAIN][0]) ? UNCHANNEL_SAMPLE_OK : UNCHANNEL_SAMPLE_OUT_OF_DOMAIN;
}

static const unchannel_simple kChannel = {
    .descriptor = {.id = "org.example.@NAME@",
                   .name = "@NAME@",
                   .version = "0.1.0",
                   .vendor = "",
                   .url = "",
                   .licence = "",
                   .description = "y = g x + sigma n, n ~ N(0, 1) for every element; g is uniform in [gain_min, gain_max].",
                   .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                   .thread_class = UNCHANNEL_THREADS_REENTRANT},
    .parameters = kParameters,
    .parameter_count = PARAMETER_COUNT,
    .latents = kLatents,
    .latent_count = LATENT_COUNT,
    .configure = configure,
    .draw_latents = draw_latents,
    .simulate = simulate,
    .mean = mean,
    .vjp = vjp};
UNCHANNEL_SIMPLE_MODULE(kChannel)
