/* Tables and entry; part of broken.c. */

static uint64_t cuda_operations(void* instance) {
  return (void)instance, UNCHANNEL_CUDA_SIMULATE | (IS(CPU_GPU_PARITY) ? UNCHANNEL_CUDA_LIFT : 0u);
}
static int32_t cuda_prepare(void* instance, int32_t device) {
  (void)device;
  return IS(STREAM_ORDER) ? UNCHANNEL_OK : fail((const channel*)instance, UNCHANNEL_BAD_ARGUMENT, "no such CUDA device");
}
static void cuda_release(void* instance, int32_t device) { (void)instance, (void)device; }

static const void* get_extension(void* instance, const char* id) {
  static const unchannel_mean_1 mean_1 = {mean};
  static const unchannel_vjp_1 vjp_1 = {vjp};
  static const unchannel_jvp_1 jvp_1 = {jvp};
  static const unchannel_adjoint_1 adjoint_1 = {adjoint};
  static const unchannel_loglik_1 loglik_1 = {loglik};
  static const unchannel_cuda_1 cuda_1 = {cuda_operations, cuda_prepare, cuda_release};
  (void)instance;
  if (strcmp(id, UNCHANNEL_MEAN_1) == 0) return &mean_1;
  if (strcmp(id, UNCHANNEL_VJP_1) == 0) return &vjp_1;
  if (strcmp(id, UNCHANNEL_JVP_1) == 0) return &jvp_1;
  if (strcmp(id, UNCHANNEL_ADJOINT_1) == 0) return &adjoint_1;
  if (strcmp(id, UNCHANNEL_LOGLIK_1) == 0) return &loglik_1;
  if (strcmp(id, UNCHANNEL_CUDA_1) == 0 && (IS(CPU_GPU_PARITY) || IS(STREAM_ORDER))) return &cuda_1;
  return IS(UNKNOWN_ID) && strncmp(id, "x-", 2) == 0 ? &mean_1 : NULL;
}

static const unchannel_core_1 kCore = {create, destroy,   parameter_count, parameter, latent_count,
                                       latent, configure, draw_latents,    simulate,  get_extension};
static const unchannel_descriptor kDescriptor = {
    "org.example.broken",           "A small channel for tests",      IS(DESCRIPTOR) ? "v1" : "1.0.0", "tests", "", "Apache-2.0",
    "y = gain x + level + sigma n", UNCHANNEL_DETERMINISM_PER_SAMPLE, UNCHANNEL_THREADS_REENTRANT};

static int32_t init(const unchannel_host* host) {
  static int used = 0;
  if (IS(INIT_TWICE) && used++ > 0) {
    host->set_error(host, "the licence is taken");
    return UNCHANNEL_RETRYABLE;
  }
  return UNCHANNEL_OK;
}
static void shut_down(void) {}
static uint32_t channel_count(void) { return 1; }
static const unchannel_descriptor* channel_descriptor(uint32_t index) {
  static int started = 0;
  pthread_t thread;
  if (IS(SCAN_COST) && !started) started = pthread_create(&thread, NULL, sleeper, NULL) == 0;
  return index == 0 ? &kDescriptor : NULL;
}
static const void* get_table(uint32_t index, const char* id) {
  if (index != 0) return NULL;
  return strcmp(id, UNCHANNEL_CORE_1) == 0 ? (const void*)&kCore : get_extension(NULL, id);
}

const unchannel_module* unchannel_entry(uint32_t host_major, uint32_t host_minor) {
  static const unchannel_module module = {UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR, init,     shut_down,
                                          channel_count,       channel_descriptor,  get_table};
  (void)host_major, (void)host_minor;
#ifdef BREAK_LINK
  function_of_a_missing_library();
#endif
  return &module;
}
