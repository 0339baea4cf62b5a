/* What unchannel must know about diffusion.f90: parameters, shape, and which routine does what. */
#include <math.h>
#include <unchannel/simple.h>

/* diffusion.f90, bind(c) */
void diffuse(int64_t pixels, int64_t steps, double ratio, const float* x, float* y);
void observe(int64_t pixels, int64_t steps, double ratio, double sigma, uint64_t key, uint64_t id, const float* x, float* y);

/* Called from there: random.h has no symbols to link against. */
void normal_fill(uint64_t key, uint64_t id, int64_t count, float* normals);
void normal_fill(uint64_t key, uint64_t id, int64_t count, float* normals) { unchannel_normal_fill(key, id, 0, (uint64_t)count, normals); }

enum { STEPS, RATIO, NOISE_SIGMA, PARAMETER_COUNT };
static const unchannel_parameter kParameters[PARAMETER_COUNT] = {
    {.id = "steps", .unit = "1", .type = UNCHANNEL_TYPE_I64, .default_i64 = 20, .max_i64 = 100000, .doc = "Steps until readout."},
    {.id = "diffusion_ratio",
     .unit = "1",
     .type = UNCHANNEL_TYPE_F64,
     .default_f64 = 0.25,
     .max_f64 = 0.5, /* above it the explicit scheme is unstable */
     .flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN,
     .doc = "Diffusion coefficient times step, by pixel width squared."},
    {.id = "noise_sigma", .unit = "electrons", .type = UNCHANNEL_TYPE_F64, .default_f64 = 5, .max_f64 = HUGE_VAL, .doc = "Readout noise."}};

static int32_t configure(unchannel_simple_setup* s) {
  if (s->x_ndim != 1) {
    snprintf(s->error, sizeof s->error, "x must have the shape [pixels], one axis, not %d.", s->x_ndim);
    return UNCHANNEL_BAD_ARGUMENT;
  }
  return UNCHANNEL_OK;
}

static int32_t simulate(const unchannel_simple_sample* s) {
  const uint64_t key = unchannel_derive(s->key, unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  observe(s->x_count, s->values[STEPS].i64, s->values[RATIO].f64, s->values[NOISE_SIGMA].f64, key, s->id, s->x, s->y);
  return UNCHANNEL_SAMPLE_OK;
}

static int32_t mean(const unchannel_simple_sample* s) {
  diffuse(s->x_count, s->values[STEPS].i64, s->values[RATIO].f64, s->x, s->y);
  return UNCHANNEL_SAMPLE_OK;
}

static int32_t vjp(const unchannel_simple_sample* s) { /* symmetric: its own adjoint */
  diffuse(s->x_count, s->values[STEPS].i64, s->values[RATIO].f64, s->cotangent, s->gradient);
  return UNCHANNEL_SAMPLE_OK;
}

static const unchannel_simple kChannel = {
    .descriptor = {.id = "org.example.diffusion",
                   .name = "Charge diffusion",
                   .version = "0.1.0",
                   .vendor = "",
                   .url = "",
                   .licence = "Apache-2.0",
                   .description = "y = D^steps x + noise_sigma n, D: one explicit diffusion step along the pixels without flux through "
                                  "the ends, n ~ N(0, 1) per pixel. Fortran.",
                   .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                   .thread_class = UNCHANNEL_THREADS_REENTRANT},
    .parameters = kParameters,
    .parameter_count = PARAMETER_COUNT,
    .configure = configure,
    .simulate = simulate,
    .mean = mean,
    .vjp = vjp};
UNCHANNEL_SIMPLE_MODULE(kChannel)
