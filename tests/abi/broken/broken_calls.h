/* The batch calls; part of broken.c. */

static int fits(const channel* self, const unchannel_tensor* tensor, int64_t count) {
  return tensor != NULL && tensor->ndim == 2 && tensor->shape[0] == count && tensor->shape[1] == self->elements &&
         tensor->dtype.code == UNCHANNEL_DTYPE_FLOAT && tensor->dtype.bits == 32 && tensor->device.type == UNCHANNEL_DEVICE_CPU;
}

/* What every call begins with: both structs, the configuration, the tensors. */
static int32_t begin(const channel* self, const unchannel_batch* batch, unchannel_batch* own, const void* args, void* own_args,
                     uint64_t size) {
  uint64_t given;
  memcpy(&given, args, sizeof given);
  if (IS(ABI_SIZES) && given != size) return fail(self, UNCHANNEL_BAD_ARGUMENT, "struct_size is not mine");
  if (unchannel_take_args(own, sizeof *own, batch, UNCHANNEL_BATCH_V1_SIZE) != UNCHANNEL_OK ||
      unchannel_take_args(own_args, size, args, size) != UNCHANNEL_OK)
    return fail(self, UNCHANNEL_BAD_ARGUMENT, "struct_size or chain pointer");
  if (!self->configured) return fail(self, UNCHANNEL_BAD_ARGUMENT, "call configure first");
  return UNCHANNEL_OK;
}
static int32_t wrong_tensor(const channel* self) {
  if (IS(ERROR_AND_CANCEL)) return UNCHANNEL_BAD_ARGUMENT; /* without a word */
  return fail(self, UNCHANNEL_BAD_ARGUMENT, "a tensor is missing or has the wrong shape, type or device");
}
#define BEGIN(Args)                                                  \
  channel* self = (channel*)instance;                                \
  unchannel_batch in;                                                \
  Args a;                                                            \
  int64_t i, j;                                                      \
  const int32_t begun = begin(self, batch, &in, args, &a, sizeof a); \
  if (begun != UNCHANNEL_OK) return begun

static const float* row(const unchannel_tensor* tensor, int64_t i, int64_t width) { return (const float*)tensor->data + i * width; }
static float* out_row(const unchannel_tensor* tensor, int64_t i, int64_t width) { return (float*)tensor->data + i * width; }

static int32_t draw_latents(void* instance, const unchannel_batch* batch, const unchannel_draw_latents_args* args) {
  BEGIN(unchannel_draw_latents_args);
  (void)j;
  for (i = 0; a.latents[0] != NULL && i < in.count; ++i) {
    const float u = unchannel_uniform(in.key, in.ids[i], 0, 0);
    *out_row(a.latents[0], i, 1) = IS(LATENT_PRIOR) ? 0.9F * u : u;
  }
  return UNCHANNEL_OK;
}

/* The noise-free part of one sample. */
static void mean_row(const channel* self, const float* x, float level, float* y) {
  static float shared[4096];
  float* scratch = y;
  int64_t j;
  if (IS(THREAD_CLASS) && self->elements <= 4096) scratch = shared; /* REENTRANT, and yet one buffer for all */
  for (j = 0; j < self->elements; ++j) scratch[j] = (float)self->gain * x[j] + level;
  if (IS(THREAD_CLASS)) {
    const struct timespec while_others_run = {0, 20000};
    nanosleep(&while_others_run, NULL);
  }
  if (scratch != y) memcpy(y, scratch, (size_t)self->elements * sizeof *y);
}

static int32_t simulate(void* instance, const unchannel_batch* batch, const unchannel_simulate_args* args) {
  BEGIN(unchannel_simulate_args);
  if (!fits(self, a.x, in.count) || !fits(self, a.y, in.count)) return wrong_tensor(self);
  if (IS(FP_ENVIRONMENT)) fesetround(FE_UPWARD);
  if (IS(NO_RETAIN) && in.count > 0) {
    volatile float looked_at = self->retained != NULL ? *self->retained : 0; /* at the signal of an earlier call */
    (void)looked_at;
    self->retained = row(a.x, 0, self->elements);
  }
  for (i = 0; i < in.count; ++i) {
    const float* x = row(a.x, i, self->elements);
    float* y = out_row(a.y, i, self->elements);
    const float untouched = y[self->elements - 1];
    const uint64_t id = IS(SEED_SENSITIVITY) ? (uint32_t)in.ids[i] : in.ids[i];
    mean_row(self, x, *row(a.latents[0], i, 1), y);
    for (j = 0; j < self->elements; ++j) y[j] += (float)self->sigma * unchannel_normal(in.key, id, (uint32_t)j, 0);
    if (IS(BATCH_SPLIT)) y[0] += 1e-3F * row(a.x, in.count - 1, self->elements)[0]; /* looks at its neighbour */
    if (IS(OUTPUT_COMPLETE)) y[self->elements - 1] = untouched;
    if (IS(ISOLATED_PARITY)) y[0] += 1e-6F * (float)(1 + getpid() % 97);
  }
  if (in.count == 0) return UNCHANNEL_OK;
  if (IS(REPEAT_BITWISE)) {
    const float first = *row(a.x, 0, 1);
    if (self->previous != 0) *out_row(a.y, 0, 1) += 1e-3F * (first - self->previous); /* remembers the call before */
    self->previous = first;
  }
  if (IS(GUARD_PAGES)) *(volatile float*)out_row(a.y, in.count, self->elements) = 1; /* one element too far */
  return UNCHANNEL_OK;
}

static int32_t mean(void* instance, const unchannel_batch* batch, const unchannel_mean_args* args) {
  BEGIN(unchannel_mean_args);
  if (!fits(self, a.x, in.count) || !fits(self, a.mean, in.count)) return wrong_tensor(self);
  for (i = 0; i < in.count; ++i) mean_row(self, row(a.x, i, self->elements), *row(a.latents[0], i, 1), out_row(a.mean, i, self->elements));
  (void)j;
  return UNCHANNEL_OK;
}

/* out = factor in, for all linear maps of this channel. */
static int32_t scaled(const channel* self, int64_t count, double factor, const unchannel_tensor* from, const unchannel_tensor* to) {
  int64_t i;
  if (!fits(self, from, count) || !fits(self, to, count)) return wrong_tensor(self);
  for (i = 0; i < count * self->elements; ++i) ((float*)to->data)[i] = (float)factor * ((const float*)from->data)[i];
  return UNCHANNEL_OK;
}

static int32_t vjp(void* instance, const unchannel_batch* batch, const unchannel_vjp_args* args) {
  BEGIN(unchannel_vjp_args);
  (void)i, (void)j;
  if (!fits(self, a.x, in.count)) return wrong_tensor(self);
  return scaled(self, in.count, IS(DERIVATIVE_DOT) ? 1.02 * self->gain : self->gain, a.cotangent, a.gradient);
}
static int32_t jvp(void* instance, const unchannel_batch* batch, const unchannel_jvp_args* args) {
  BEGIN(unchannel_jvp_args);
  (void)i, (void)j;
  if (!fits(self, a.x, in.count)) return wrong_tensor(self);
  return scaled(self, in.count, self->gain, a.tangent, a.derivative);
}
static int32_t adjoint(void* instance, const unchannel_batch* batch, const unchannel_adjoint_args* args) {
  BEGIN(unchannel_adjoint_args);
  (void)i, (void)j;
  return scaled(self, in.count, self->gain, a.y, a.x);
}

static int32_t loglik(void* instance, const unchannel_batch* batch, const unchannel_loglik_args* args) {
  BEGIN(unchannel_loglik_args);
  if (!fits(self, a.x, in.count) || !fits(self, a.y, in.count) || (a.gradient != NULL && !fits(self, a.gradient, in.count)))
    return wrong_tensor(self);
  for (i = 0; i < in.count; ++i) {
    const float *x = row(a.x, i, self->elements), *y = row(a.y, i, self->elements);
    /* Wrong: a density twice as wide as the one that simulate draws from would still have the right score; one that is shifted has not. */
    const double level = (double)*row(a.latents[0], i, 1) + (IS(LOGLIK_SCORE) ? self->sigma : 0.0);
    double value = 0;
    for (j = 0; j < self->elements; ++j) {
      const double residual = ((double)y[j] - self->gain * (double)x[j] - level) / self->sigma;
      value -= 0.5 * residual * residual + log(self->sigma) + 0.91893853320467274; /* ln sqrt(2 pi) */
      if (a.gradient != NULL) out_row(a.gradient, i, self->elements)[j] = (float)(self->gain * residual / self->sigma);
    }
    a.loglik[i] = value;
  }
  return UNCHANNEL_OK;
}
