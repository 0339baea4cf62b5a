/* unchannel/channel.h: the plugin interface of unchannel, version 1. A plugin is one shared library that holds one or more channels
 * (measurement processes y = F(x; latents, noise)).
 *
 * Licence: Apache-2.0. C11, C++11 and later. 64 bit little-endian platforms. Nothing but this header (and random.h) is needed.
 *
 * How it stays compatible
 *   - Function tables are frozen once released and fetched as "name/revision"; a change is a new revision under a new id.
 *   - Information structs (descriptor, parameter, latent, value, latent shape) are frozen; more information comes through extensions.
 *   - Only call-argument structs grow, at their end. Each starts with struct_size and a chain pointer:
 *       struct_size   what the caller filled in. Accept anything >= the v1 size; a missing tail reads as zero, a longer tail is ignored.
 *                     unchannel_take_args() does this. Never compare with ==.
 *       next          must be NULL in v1. A callee that finds it non-NULL answers UNCHANNEL_BAD_ARGUMENT.
 *   - Lists are index functions or arrays of pointers. Strings are UTF-8 and live until the object that returned them is destroyed (those
 *     of the module: until the library is unloaded), unless said otherwise.
 *   - Ids that start with "x-" are experimental and promise nothing.
 *
 * Life of a channel
 *   entry -> module.channel_descriptor -> module.init -> core.create -> core.parameter, core.latent -> core.configure
 *         -> { core.draw_latents, core.simulate, extensions }* -> core.destroy -> module.shutdown
 *   configure may be called again at any time between calls. Before init and create nothing may start a thread, open a device or
 *   read a file.
 *
 * Thread tags, used below
 *   [any]        from any thread, also concurrently
 *   [module]     one call at a time for the whole library
 *   [instance]   one call at a time for this instance
 *   [call]       as the descriptor's thread_class says: one at a time for the library (PROCESS_SERIAL), for the instance (INSTANCE_SERIAL),
 *                or concurrently on one instance (REENTRANT)
 *
 * No exception may cross any function of this interface, in either direction. A plugin leaves MXCSR / FPCR, the locale, the working
 * directory, the environment and signal handlers as it found them, and prints nothing (services: log/1).
 */
#ifndef UNCHANNEL_CHANNEL_H
#define UNCHANNEL_CHANNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "unchannel plugins need a little-endian platform"
#endif

#ifdef __cplusplus
#define UNCHANNEL_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define UNCHANNEL_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif
#if defined(__GNUC__)
#define UNCHANNEL_EXPORT __attribute__((visibility("default")))
#else
#define UNCHANNEL_EXPORT
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Major: incompatible. Minor: new extensions, new fields at the end of call-argument structs. */
#define UNCHANNEL_ABI_MAJOR 1
#define UNCHANNEL_ABI_MINOR 0
#define UNCHANNEL_MAX_NDIM 8 /* of the shapes that configure exchanges (without the batch axis) */

/* ---- status ---- */

/* What a call returns says how far the damage goes. Before returning anything but OK, call host->set_error on the same thread. */
#define UNCHANNEL_OK 0
#define UNCHANNEL_RETRYABLE 1       /* nothing has changed; the same call may succeed later (licence server, memory) */
#define UNCHANNEL_BAD_ARGUMENT 2    /* nothing has changed; the same call will fail again */
#define UNCHANNEL_CANCELLED 3       /* the host asked to stop; outputs are undefined, the instance stays usable */
#define UNCHANNEL_INSTANCE_BROKEN 4 /* only destroy may follow on this instance; others are fine */
#define UNCHANNEL_MODULE_BROKEN 5   /* call nothing of this library any more */

/* What happened to one sample (sample_status[i]). A sample that is not OK gets weight zero; its outputs must still be written (finite). */
#define UNCHANNEL_SAMPLE_OK 0
#define UNCHANNEL_SAMPLE_FAILED 1        /* the simulator failed on this sample */
#define UNCHANNEL_SAMPLE_OUT_OF_DOMAIN 2 /* the signal or a latent is outside what the channel models */
#define UNCHANNEL_SAMPLE_NOT_FINITE 3    /* non-finite input or result */
#define UNCHANNEL_SAMPLE_PLUGIN 1000     /* this and above: the plugin's own codes, explained in its documentation */

/* ---- tensors: the layout of DLPack's DLTensor ---- */

#define UNCHANNEL_DEVICE_CPU 1
#define UNCHANNEL_DEVICE_CUDA 2

#define UNCHANNEL_DTYPE_INT 0   /* with bits = 32 or 64 */
#define UNCHANNEL_DTYPE_UINT 1  /* not used by v1 calls */
#define UNCHANNEL_DTYPE_FLOAT 2 /* with bits = 32 or 64 */

typedef struct unchannel_device {
  int32_t type; /* UNCHANNEL_DEVICE_* */
  int32_t index;
} unchannel_device;

typedef struct unchannel_dtype {
  uint8_t code; /* UNCHANNEL_DTYPE_* */
  uint8_t bits;
  uint16_t lanes; /* 1 */
} unchannel_dtype;

/* Borrowed for the call: keep no pointer. Strides (in elements) are always set; v1 tensors are C-contiguous and byte_offset is 0. The first
 * axis is the batch. The host allocates outputs. Signals and observations are float32, latents float32, int32 or int64; complex data have a
 * trailing axis of length 2; variable-length latents are padded and have a count latent. Which tensors are read and which are written
 * is said at each call; what is read must not be written. */
typedef struct unchannel_tensor {
  void* data;
  unchannel_device device;
  int32_t ndim;
  unchannel_dtype dtype;
  int64_t* shape;
  int64_t* strides;
  uint64_t byte_offset;
} unchannel_tensor;

/* ---- host ---- */

typedef struct unchannel_host unchannel_host;
struct unchannel_host {
  uint32_t abi_major;
  uint32_t abi_minor;
  const char* name;    /* "unchannel" */
  const char* version; /* of the host program */
  /* [any] The reason of the failure that the calling thread is about to return; the host copies the text. */
  void (*set_error)(const unchannel_host* host, const char* text);
  /* [any] A table unchannel_host_*_1 by id, or NULL when this host has no such service. */
  const void* (*get_service)(const unchannel_host* host, const char* id);
  void* context; /* the host's own */
};

#define UNCHANNEL_SERVICE_LOG_1 "log/1"
#define UNCHANNEL_LOG_DEBUG 0
#define UNCHANNEL_LOG_INFO 1
#define UNCHANNEL_LOG_WARNING 2
#define UNCHANNEL_LOG_ERROR 3
typedef struct unchannel_host_log_1 {
  void (*log)(const unchannel_host* host, int32_t level, const char* text); /* [any] the host copies the text */
} unchannel_host_log_1;

#define UNCHANNEL_SERVICE_SCRATCH_1 "scratch/1"
typedef struct unchannel_host_scratch_1 {
  /* [any] Memory that the host pools and accounts for; NULL when there is none. alignment: a power of two <= 4096. Not initialised. */
  void* (*allocate)(const unchannel_host* host, unchannel_device device, uint64_t bytes, uint64_t alignment);
  void (*release)(const unchannel_host* host, unchannel_device device, void* memory); /* [any] NULL is allowed */
} unchannel_host_scratch_1;

#define UNCHANNEL_SERVICE_SHOULD_STOP_1 "should_stop/1"
typedef struct unchannel_host_should_stop_1 {
  int32_t (*should_stop)(const unchannel_host* host); /* [any] cheap; non-zero: return UNCHANNEL_CANCELLED soon */
} unchannel_host_should_stop_1;

#define UNCHANNEL_SERVICE_PROGRESS_1 "progress/1"
typedef struct unchannel_host_progress_1 {
  /* [any] fraction in [0, 1]; for slow configure or simulate */
  void (*report)(const unchannel_host* host, double fraction, const char* what);
} unchannel_host_progress_1;

#define UNCHANNEL_SERVICE_THREAD_POOL_1 "thread_pool/1"
typedef struct unchannel_host_thread_pool_1 {
  uint32_t (*thread_count)(const unchannel_host* host); /* [any] how many threads run() may use, >= 1 */
  /* [any] Calls task(user, begin, end, worker) on disjoint ranges that cover 0 ... count - 1, each at most `grain` long, and returns when
   * all are done. worker < thread_count is unique among calls that run at the same time. A task reports errors through `user`, never by an
   * exception. Nested calls run on the calling thread. Returns UNCHANNEL_OK, or UNCHANNEL_CANCELLED when ranges were left out. */
  int32_t (*run)(const unchannel_host* host, int64_t count, int64_t grain,
                 void (*task)(void* user, int64_t begin, int64_t end, uint32_t worker), void* user);
} unchannel_host_thread_pool_1;

#define UNCHANNEL_SERVICE_DATA_DIR_1 "data_dir/1"
typedef struct unchannel_host_data_dir_1 {
  /* [any] Folder with the read-only files installed beside the plugin, or NULL. Lives as long as the host struct. */
  const char* (*data_dir)(const unchannel_host* host);
  /* [any] A writable folder of this plugin that survives the run but may be emptied at any time between runs, or NULL. */
  const char* (*cache_dir)(const unchannel_host* host);
} unchannel_host_data_dir_1;

/* ---- descriptor ---- */

/* What "the same" means for one binary on one kind of CPU (or GPU). Latents are PER_SAMPLE in all three. */
#define UNCHANNEL_DETERMINISM_NONE 0       /* accepted with a warning; a resumed run is not bit-exact */
#define UNCHANNEL_DETERMINISM_PER_BATCH 1  /* same batch, same bits */
#define UNCHANNEL_DETERMINISM_PER_SAMPLE 2 /* sample i is a pure function of (x_i, parameters, latents_i, key, id_i) */

#define UNCHANNEL_THREADS_PROCESS_SERIAL 0
#define UNCHANNEL_THREADS_INSTANCE_SERIAL 1
#define UNCHANNEL_THREADS_REENTRANT 2

typedef struct unchannel_descriptor {
  const char* id;          /* reverse domain name, for ever: "org.unchannel.spectrograph" */
  const char* name;        /* for people */
  const char* version;     /* semantic version of the channel */
  const char* vendor;      /* may be empty */
  const char* url;         /* may be empty */
  const char* licence;     /* SPDX expression, may be empty */
  const char* description; /* one paragraph: the formula, the units, the source */
  int32_t determinism;     /* UNCHANNEL_DETERMINISM_* */
  int32_t thread_class;    /* UNCHANNEL_THREADS_* */
} unchannel_descriptor;

/* ---- parameters ---- */

#define UNCHANNEL_TYPE_F64 1
#define UNCHANNEL_TYPE_I64 2
#define UNCHANNEL_TYPE_BOOL 3   /* in the i64 fields, 0 or 1 */
#define UNCHANNEL_TYPE_ENUM 4   /* in the text fields, one of choices */
#define UNCHANNEL_TYPE_STRING 5 /* in the text fields */
#define UNCHANNEL_TYPE_PATH 6   /* in the text fields; the host resolves relative paths before the plugin sees them; "" means none */

#define UNCHANNEL_PARAMETER_REQUIRED 1u       /* no default: the user must give it */
#define UNCHANNEL_PARAMETER_CHANGES_SHAPES 2u /* y_shape or a latent's shape or whether a latent is active */
#define UNCHANNEL_PARAMETER_AFFECTS_CACHES 4u /* a change makes configure expensive */
#define UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN 8u /* a user may ask to infer it: y depends smoothly on it */
#define UNCHANNEL_PARAMETER_MIN_EXCLUSIVE 16u /* F64: min itself is outside the range */
#define UNCHANNEL_PARAMETER_MAX_EXCLUSIVE 32u /* F64: max itself is outside the range */

typedef struct unchannel_parameter {
  const char* id;             /* snake_case, with the unit where there is one: "wavelength_min_angstrom" */
  const char* unit;           /* "angstrom", "1" for a pure number, "" for text */
  const char* doc;            /* one or two sentences */
  const char* default_text;   /* ENUM, STRING, PATH; otherwise NULL */
  const char* const* choices; /* ENUM: choice_count names; otherwise NULL */
  uint32_t choice_count;
  int32_t type;                          /* UNCHANNEL_TYPE_* */
  uint32_t flags;                        /* UNCHANNEL_PARAMETER_* */
  uint32_t reserved;                     /* 0 */
  double default_f64, min_f64, max_f64;  /* F64; -inf and +inf: no bound; the range is inclusive unless flagged */
  int64_t default_i64, min_i64, max_i64; /* I64, BOOL */
} unchannel_parameter;

typedef struct unchannel_value {
  const char* id;   /* of the parameter */
  int32_t type;     /* UNCHANNEL_TYPE_*, equal to the parameter's */
  int32_t reserved; /* 0 */
  double f64;
  int64_t i64;
  const char* text; /* borrowed for the call */
} unchannel_value;

/* ---- latents ---- */

#define UNCHANNEL_LATENT_F32 1
#define UNCHANNEL_LATENT_I32 2
#define UNCHANNEL_LATENT_I64 3

#define UNCHANNEL_LATENT_VISIBLE 1u      /* default: the model sees it; the user's configuration has the last word */
#define UNCHANNEL_LATENT_DEPENDS_ON_X 2u /* draw_latents needs x when it draws this one */
#define UNCHANNEL_LATENT_DATA_ONLY 4u    /* cannot be drawn: comes with the observations (source "own", "data" or "model") */

/* The latents of an instance form a fixed list; configure says which of them are active and gives their shapes. */
typedef struct unchannel_latent {
  const char* id; /* snake_case; also the name of the data set latents/<id> */
  const char* unit;
  const char* doc;
  /* The law that draw_latents draws from: uniform(a, b), normal(mean, sd), lognormal(mean, sd), bernoulli(p), poisson(mean), none, or
   * other: text. Arguments are numbers, ids of parameters, or products and sums of these. For an integer latent uniform(a, b) means that
   * each integer from a to b, both included, is equally likely. Entries are independent unless the doc says otherwise. */
  const char* prior;
  const char* count_of; /* this latent counts the valid entries of that padded one, or NULL */
  int32_t dtype;        /* UNCHANNEL_LATENT_F32, ... */
  uint32_t flags;
} unchannel_latent;

typedef struct unchannel_latent_shape {
  int32_t active; /* 0: this configuration has no such latent; its pointer in every call is NULL */
  int32_t ndim;   /* without the batch axis; 0: one number per sample */
  int64_t extent[UNCHANNEL_MAX_NDIM];
} unchannel_latent_shape;

/* ---- call arguments (these grow at the end) ---- */

typedef struct unchannel_configure_args {
  uint64_t struct_size;
  const void* next;
  const int64_t* x_shape; /* [x_ndim] shape of one signal, without the batch axis */
  int32_t x_ndim;         /* 0 ... UNCHANNEL_MAX_NDIM */
  uint32_t value_count;   /* one for each declared parameter, in the declared order, defaults filled in, checked against the schema */
  const unchannel_value* const* values;
} unchannel_configure_args;

/* Written by configure when it answers OK, otherwise left alone. */
typedef struct unchannel_configure_result {
  uint64_t struct_size;
  const void* next;
  unchannel_latent_shape* const* latent_shapes; /* in: [latent_count] to be filled */
  uint32_t latent_count;                        /* in: core.latent_count(instance) */
  int32_t y_ndim;
  int64_t y_shape[UNCHANNEL_MAX_NDIM];
  uint64_t workspace_bytes;            /* needed in every call whatever the batch, */
  uint64_t workspace_bytes_per_sample; /* plus this for each sample */
  const char* canonical; /* TOML: the whole configuration; configuring again from it gives the same channel. Until the next configure. */
} unchannel_configure_result;

/* What every batch call gets. All pointers of a call (tensors, ids, sample_status, workspace) are in the memory of `device`; CUDA comes
 * only to a plugin with cuda/1. */
typedef struct unchannel_batch {
  uint64_t struct_size;
  const void* next;
  uint64_t key;           /* of random.h; already derived for this call's purpose; unused by deterministic calls */
  const uint64_t* ids;    /* [count] global sample ids; never use the place in the batch instead */
  int64_t count;          /* B, may be 0 */
  int32_t* sample_status; /* [count] UNCHANNEL_SAMPLE_*; zero on entry, write only what is not OK */
  void* workspace;        /* >= workspace_bytes + count * workspace_bytes_per_sample, aligned to 64, not initialised, shared with nobody */
  uint64_t workspace_bytes;
  unchannel_device device;
  void* stream; /* CUDA: a cudaStream_t on device.index; CPU: NULL */
} unchannel_batch;

/* latents: by latent index, [latent_count]; NULL where the latent is not active. */
typedef struct unchannel_draw_latents_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* x;              /* [B, x_shape] read; NULL unless a latent to be drawn depends on x */
  const unchannel_tensor* const* latents; /* written; NULL also where this latent is not wanted (it has another source) */
  uint32_t latent_count;
  uint32_t reserved; /* 0 */
} unchannel_draw_latents_args;

typedef struct unchannel_simulate_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* x;              /* [B, x_shape] read */
  const unchannel_tensor* const* latents; /* read; every active one is set */
  uint32_t latent_count;
  uint32_t reserved;         /* 0 */
  const unchannel_tensor* y; /* [B, y_shape] written completely */
} unchannel_simulate_args;

typedef struct unchannel_lift_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* y;              /* [B, y_shape] read */
  const unchannel_tensor* const* latents; /* read; hidden latents are NULL */
  uint32_t latent_count;
  uint32_t reserved;              /* 0 */
  const unchannel_tensor* lifted; /* [B, x_shape] written */
} unchannel_lift_args;

typedef struct unchannel_mean_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* x;
  const unchannel_tensor* const* latents; /* read; every active one is set */
  uint32_t latent_count;
  uint32_t reserved;            /* 0 */
  const unchannel_tensor* mean; /* [B, y_shape] written: E[y | x, latents] */
} unchannel_mean_args;

typedef struct unchannel_vjp_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* x; /* where the derivative is taken */
  const unchannel_tensor* const* latents;
  uint32_t latent_count;
  uint32_t reserved;                 /* 0 */
  const unchannel_tensor* cotangent; /* [B, y_shape] read */
  const unchannel_tensor* gradient;  /* [B, x_shape] written: (d mean / d x)^T cotangent */
} unchannel_vjp_args;

typedef struct unchannel_jvp_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* x;
  const unchannel_tensor* const* latents;
  uint32_t latent_count;
  uint32_t reserved;                  /* 0 */
  const unchannel_tensor* tangent;    /* [B, x_shape] read */
  const unchannel_tensor* derivative; /* [B, y_shape] written: (d mean / d x) tangent */
} unchannel_jvp_args;

typedef struct unchannel_adjoint_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* y; /* [B, y_shape] read */
  const unchannel_tensor* const* latents;
  uint32_t latent_count;
  uint32_t reserved;         /* 0 */
  const unchannel_tensor* x; /* [B, x_shape] written: A^T y, where mean(x) = A x + constant */
} unchannel_adjoint_args;

typedef struct unchannel_loglik_args {
  uint64_t struct_size;
  const void* next;
  const unchannel_tensor* y;
  const unchannel_tensor* x;
  const unchannel_tensor* const* latents; /* read; every active one is set */
  uint32_t latent_count;
  uint32_t reserved;                /* 0 */
  double* loglik;                   /* [B] written: log p(y | x, latents), normalised */
  const unchannel_tensor* gradient; /* [B, x_shape] written: d loglik / d x; NULL: not wanted */
} unchannel_loglik_args;

/* ---- tables ---- */

#define UNCHANNEL_CORE_1 "core/1"
typedef struct unchannel_core_1 {
  /* [any] Cheap: no thread, no device, no large memory. host lives until destroy has returned. */
  int32_t (*create)(const unchannel_host* host, void** instance);
  void (*destroy)(void* instance); /* [instance] */

  /* [instance] The schema; fixed for the life of the instance. */
  uint32_t (*parameter_count)(void* instance);
  const unchannel_parameter* (*parameter)(void* instance, uint32_t index);
  uint32_t (*latent_count)(void* instance);
  const unchannel_latent* (*latent)(void* instance, uint32_t index);

  /* [instance] Atomic: anything but OK leaves the former configuration (or none) in force and the result untouched. */
  int32_t (*configure)(void* instance, const unchannel_configure_args* args, unchannel_configure_result* result);

  /* [call] Draws latents as a pure function of (key, id, parameters[, x]). */
  int32_t (*draw_latents)(void* instance, const unchannel_batch* batch, const unchannel_draw_latents_args* args);
  /* [call] y = F(x; latents, noise(key, id)). */
  int32_t (*simulate)(void* instance, const unchannel_batch* batch, const unchannel_simulate_args* args);

  /* [any] An extension table under the configuration in force, or NULL when this configuration cannot offer it (never a stub).
   * Before the first configure: what the channel can offer at best. */
  const void* (*get_extension)(void* instance, const char* id);
} unchannel_core_1;

/* y_shape -> x_shape; deterministic; may read visible latents only. Needed when y_shape differs from x_shape. */
#define UNCHANNEL_LIFT_1 "lift/1"
typedef struct unchannel_lift_1 {
  int32_t (*lift)(void* instance, const unchannel_batch* batch, const unchannel_lift_args* args); /* [call] */
} unchannel_lift_1;

#define UNCHANNEL_MEAN_1 "mean/1"
typedef struct unchannel_mean_1 {
  int32_t (*mean)(void* instance, const unchannel_batch* batch, const unchannel_mean_args* args); /* [call] */
} unchannel_mean_1;

#define UNCHANNEL_VJP_1 "vjp/1" /* of mean */
typedef struct unchannel_vjp_1 {
  int32_t (*vjp)(void* instance, const unchannel_batch* batch, const unchannel_vjp_args* args); /* [call] */
} unchannel_vjp_1;

#define UNCHANNEL_JVP_1 "jvp/1" /* of mean */
typedef struct unchannel_jvp_1 {
  int32_t (*jvp)(void* instance, const unchannel_batch* batch, const unchannel_jvp_args* args); /* [call] */
} unchannel_jvp_1;

#define UNCHANNEL_ADJOINT_1 "adjoint/1" /* mean is affine in x */
typedef struct unchannel_adjoint_1 {
  int32_t (*adjoint)(void* instance, const unchannel_batch* batch, const unchannel_adjoint_args* args); /* [call] */
} unchannel_adjoint_1;

#define UNCHANNEL_LOGLIK_1 "loglik/1"
typedef struct unchannel_loglik_1 {
  int32_t (*loglik)(void* instance, const unchannel_batch* batch, const unchannel_loglik_args* args); /* [call] */
} unchannel_loglik_1;

/* CUDA. Calls come with batch->device and batch->stream: enqueue on that stream only, never synchronise the device or the stream, restore
 * the current device before returning, take scratch memory from the workspace. Errors of a sample are written by the kernel into
 * sample_status. Graph capture never includes a plugin call. */
#define UNCHANNEL_CUDA_1 "cuda/1"
#define UNCHANNEL_CUDA_DRAW_LATENTS 1u
#define UNCHANNEL_CUDA_SIMULATE 2u
#define UNCHANNEL_CUDA_LIFT 4u
#define UNCHANNEL_CUDA_MEAN 8u
#define UNCHANNEL_CUDA_VJP 16u
#define UNCHANNEL_CUDA_JVP 32u
#define UNCHANNEL_CUDA_ADJOINT 64u
#define UNCHANNEL_CUDA_LOGLIK 128u
typedef struct unchannel_cuda_1 {
  uint64_t (*operations)(void* instance); /* [any] UNCHANNEL_CUDA_*: calls that accept CUDA tensors */
  /* [instance] After configure and before the first call on this device; may allocate, compile and synchronise. */
  int32_t (*prepare)(void* instance, int32_t device_index);
  void (*release)(void* instance, int32_t device_index); /* [instance] */
} unchannel_cuda_1;

/* For a plugin that starts threads of its own (OpenMP, BLAS). The budget is 1 until the host says otherwise. */
#define UNCHANNEL_THREADS_1 "threads/1"
typedef struct unchannel_threads_1 {
  int32_t (*set_budget)(void* instance, uint32_t threads); /* [instance] */
} unchannel_threads_1;

/* ---- module ---- */

/* The first two fields keep their place and meaning in every version of this interface, for ever. */
typedef struct unchannel_module {
  uint32_t abi_major; /* UNCHANNEL_ABI_MAJOR of the header that the plugin was built with */
  uint32_t abi_minor;
  /* [module] Before the first create; again only after shutdown. host lives until shutdown has returned. */
  int32_t (*init)(const unchannel_host* host);
  void (*shutdown)(void); /* [module] after the last destroy */
  /* [any] Also before init; cheap, and the same every time. */
  uint32_t (*channel_count)(void);
  const unchannel_descriptor* (*channel_descriptor)(uint32_t channel);
  /* [any] Also before init. A table of this channel by id, NULL when it has none. "core/1" is never NULL. For extensions: what the channel
   * can offer at best; core.get_extension says what the configuration in force offers. */
  const void* (*get_table)(uint32_t channel, const char* id);
} unchannel_module;

/* The one exported symbol. host_abi_major, host_abi_minor: the newest interface that the host knows. Never NULL: an older or newer plugin
 * returns its own module, whose abi_major tells the host whether it can use it. The table lives until the library is unloaded. [any] */
#define UNCHANNEL_ENTRY_SYMBOL "unchannel_entry"
typedef const unchannel_module* (*unchannel_entry_function)(uint32_t host_abi_major, uint32_t host_abi_minor);
UNCHANNEL_EXPORT const unchannel_module* unchannel_entry(uint32_t host_abi_major, uint32_t host_abi_minor);

/* ---- reading growing structs ---- */

/* Copies a call-argument struct into `own` (own_size = sizeof, of this header): a tail that the caller does not have reads as zero, a
 * longer one is ignored. BAD_ARGUMENT when it is shorter than v1_size or when the chain pointer is set. examples/raw_abi uses it. */
static inline int32_t unchannel_take_args(void* own, uint64_t own_size, const void* args, uint64_t v1_size) {
  uint64_t size = 0;
  const void* next = NULL;
  if (args == NULL) {
    return UNCHANNEL_BAD_ARGUMENT;
  }
  memcpy(&size, args, sizeof size);
  if (size < v1_size) {
    return UNCHANNEL_BAD_ARGUMENT;
  }
  memcpy(&next, (const char*)args + 8, sizeof next);
  if (next != NULL) {
    return UNCHANNEL_BAD_ARGUMENT;
  }
  memset(own, 0, (size_t)own_size);
  memcpy(own, args, (size_t)(size < own_size ? size : own_size));
  return UNCHANNEL_OK;
}

/* Sizes of v1.0: what a caller must fill in at least. These numbers never change. */
#define UNCHANNEL_CONFIGURE_ARGS_V1_SIZE 40u
#define UNCHANNEL_CONFIGURE_RESULT_V1_SIZE 120u
#define UNCHANNEL_BATCH_V1_SIZE 80u
#define UNCHANNEL_DRAW_LATENTS_ARGS_V1_SIZE 40u
#define UNCHANNEL_SIMULATE_ARGS_V1_SIZE 48u
#define UNCHANNEL_LIFT_ARGS_V1_SIZE 48u
#define UNCHANNEL_MEAN_ARGS_V1_SIZE 48u
#define UNCHANNEL_VJP_ARGS_V1_SIZE 56u
#define UNCHANNEL_JVP_ARGS_V1_SIZE 56u
#define UNCHANNEL_ADJOINT_ARGS_V1_SIZE 48u
#define UNCHANNEL_LOGLIK_ARGS_V1_SIZE 64u

/* ---- layout, guarded ---- */
#define UNCHANNEL_SIZE(type, bytes) UNCHANNEL_STATIC_ASSERT(sizeof(type) == (bytes), #type " has changed its size")
#define UNCHANNEL_AT(type, member, bytes) UNCHANNEL_STATIC_ASSERT(offsetof(type, member) == (bytes), #type "." #member " has moved")
UNCHANNEL_SIZE(unchannel_device, 8);
UNCHANNEL_AT(unchannel_device, type, 0);
UNCHANNEL_AT(unchannel_device, index, 4);
UNCHANNEL_SIZE(unchannel_dtype, 4);
UNCHANNEL_AT(unchannel_dtype, code, 0);
UNCHANNEL_AT(unchannel_dtype, bits, 1);
UNCHANNEL_AT(unchannel_dtype, lanes, 2);
UNCHANNEL_SIZE(unchannel_tensor, 48);
UNCHANNEL_AT(unchannel_tensor, data, 0);
UNCHANNEL_AT(unchannel_tensor, device, 8);
UNCHANNEL_AT(unchannel_tensor, ndim, 16);
UNCHANNEL_AT(unchannel_tensor, dtype, 20);
UNCHANNEL_AT(unchannel_tensor, shape, 24);
UNCHANNEL_AT(unchannel_tensor, strides, 32);
UNCHANNEL_AT(unchannel_tensor, byte_offset, 40);
UNCHANNEL_SIZE(unchannel_host, 48);
UNCHANNEL_AT(unchannel_host, abi_major, 0);
UNCHANNEL_AT(unchannel_host, abi_minor, 4);
UNCHANNEL_AT(unchannel_host, name, 8);
UNCHANNEL_AT(unchannel_host, version, 16);
UNCHANNEL_AT(unchannel_host, set_error, 24);
UNCHANNEL_AT(unchannel_host, get_service, 32);
UNCHANNEL_AT(unchannel_host, context, 40);
UNCHANNEL_SIZE(unchannel_host_log_1, 8);
UNCHANNEL_AT(unchannel_host_log_1, log, 0);
UNCHANNEL_SIZE(unchannel_host_scratch_1, 16);
UNCHANNEL_AT(unchannel_host_scratch_1, allocate, 0);
UNCHANNEL_AT(unchannel_host_scratch_1, release, 8);
UNCHANNEL_SIZE(unchannel_host_should_stop_1, 8);
UNCHANNEL_AT(unchannel_host_should_stop_1, should_stop, 0);
UNCHANNEL_SIZE(unchannel_host_progress_1, 8);
UNCHANNEL_AT(unchannel_host_progress_1, report, 0);
UNCHANNEL_SIZE(unchannel_host_thread_pool_1, 16);
UNCHANNEL_AT(unchannel_host_thread_pool_1, thread_count, 0);
UNCHANNEL_AT(unchannel_host_thread_pool_1, run, 8);
UNCHANNEL_SIZE(unchannel_host_data_dir_1, 16);
UNCHANNEL_AT(unchannel_host_data_dir_1, data_dir, 0);
UNCHANNEL_AT(unchannel_host_data_dir_1, cache_dir, 8);
UNCHANNEL_SIZE(unchannel_descriptor, 64);
UNCHANNEL_AT(unchannel_descriptor, id, 0);
UNCHANNEL_AT(unchannel_descriptor, name, 8);
UNCHANNEL_AT(unchannel_descriptor, version, 16);
UNCHANNEL_AT(unchannel_descriptor, vendor, 24);
UNCHANNEL_AT(unchannel_descriptor, url, 32);
UNCHANNEL_AT(unchannel_descriptor, licence, 40);
UNCHANNEL_AT(unchannel_descriptor, description, 48);
UNCHANNEL_AT(unchannel_descriptor, determinism, 56);
UNCHANNEL_AT(unchannel_descriptor, thread_class, 60);
UNCHANNEL_SIZE(unchannel_parameter, 104);
UNCHANNEL_AT(unchannel_parameter, id, 0);
UNCHANNEL_AT(unchannel_parameter, unit, 8);
UNCHANNEL_AT(unchannel_parameter, doc, 16);
UNCHANNEL_AT(unchannel_parameter, default_text, 24);
UNCHANNEL_AT(unchannel_parameter, choices, 32);
UNCHANNEL_AT(unchannel_parameter, choice_count, 40);
UNCHANNEL_AT(unchannel_parameter, type, 44);
UNCHANNEL_AT(unchannel_parameter, flags, 48);
UNCHANNEL_AT(unchannel_parameter, reserved, 52);
UNCHANNEL_AT(unchannel_parameter, default_f64, 56);
UNCHANNEL_AT(unchannel_parameter, min_f64, 64);
UNCHANNEL_AT(unchannel_parameter, max_f64, 72);
UNCHANNEL_AT(unchannel_parameter, default_i64, 80);
UNCHANNEL_AT(unchannel_parameter, min_i64, 88);
UNCHANNEL_AT(unchannel_parameter, max_i64, 96);
UNCHANNEL_SIZE(unchannel_value, 40);
UNCHANNEL_AT(unchannel_value, id, 0);
UNCHANNEL_AT(unchannel_value, type, 8);
UNCHANNEL_AT(unchannel_value, reserved, 12);
UNCHANNEL_AT(unchannel_value, f64, 16);
UNCHANNEL_AT(unchannel_value, i64, 24);
UNCHANNEL_AT(unchannel_value, text, 32);
UNCHANNEL_SIZE(unchannel_latent, 48);
UNCHANNEL_AT(unchannel_latent, id, 0);
UNCHANNEL_AT(unchannel_latent, unit, 8);
UNCHANNEL_AT(unchannel_latent, doc, 16);
UNCHANNEL_AT(unchannel_latent, prior, 24);
UNCHANNEL_AT(unchannel_latent, count_of, 32);
UNCHANNEL_AT(unchannel_latent, dtype, 40);
UNCHANNEL_AT(unchannel_latent, flags, 44);
UNCHANNEL_SIZE(unchannel_latent_shape, 72);
UNCHANNEL_AT(unchannel_latent_shape, active, 0);
UNCHANNEL_AT(unchannel_latent_shape, ndim, 4);
UNCHANNEL_AT(unchannel_latent_shape, extent, 8);
UNCHANNEL_SIZE(unchannel_configure_args, 40);
UNCHANNEL_AT(unchannel_configure_args, struct_size, 0);
UNCHANNEL_AT(unchannel_configure_args, next, 8);
UNCHANNEL_AT(unchannel_configure_args, x_shape, 16);
UNCHANNEL_AT(unchannel_configure_args, x_ndim, 24);
UNCHANNEL_AT(unchannel_configure_args, value_count, 28);
UNCHANNEL_AT(unchannel_configure_args, values, 32);
UNCHANNEL_SIZE(unchannel_configure_result, 120);
UNCHANNEL_AT(unchannel_configure_result, struct_size, 0);
UNCHANNEL_AT(unchannel_configure_result, next, 8);
UNCHANNEL_AT(unchannel_configure_result, latent_shapes, 16);
UNCHANNEL_AT(unchannel_configure_result, latent_count, 24);
UNCHANNEL_AT(unchannel_configure_result, y_ndim, 28);
UNCHANNEL_AT(unchannel_configure_result, y_shape, 32);
UNCHANNEL_AT(unchannel_configure_result, workspace_bytes, 96);
UNCHANNEL_AT(unchannel_configure_result, workspace_bytes_per_sample, 104);
UNCHANNEL_AT(unchannel_configure_result, canonical, 112);
UNCHANNEL_SIZE(unchannel_batch, 80);
UNCHANNEL_AT(unchannel_batch, struct_size, 0);
UNCHANNEL_AT(unchannel_batch, next, 8);
UNCHANNEL_AT(unchannel_batch, key, 16);
UNCHANNEL_AT(unchannel_batch, ids, 24);
UNCHANNEL_AT(unchannel_batch, count, 32);
UNCHANNEL_AT(unchannel_batch, sample_status, 40);
UNCHANNEL_AT(unchannel_batch, workspace, 48);
UNCHANNEL_AT(unchannel_batch, workspace_bytes, 56);
UNCHANNEL_AT(unchannel_batch, device, 64);
UNCHANNEL_AT(unchannel_batch, stream, 72);
UNCHANNEL_SIZE(unchannel_draw_latents_args, 40);
UNCHANNEL_AT(unchannel_draw_latents_args, struct_size, 0);
UNCHANNEL_AT(unchannel_draw_latents_args, next, 8);
UNCHANNEL_AT(unchannel_draw_latents_args, x, 16);
UNCHANNEL_AT(unchannel_draw_latents_args, latents, 24);
UNCHANNEL_AT(unchannel_draw_latents_args, latent_count, 32);
UNCHANNEL_AT(unchannel_draw_latents_args, reserved, 36);
UNCHANNEL_SIZE(unchannel_simulate_args, 48);
UNCHANNEL_AT(unchannel_simulate_args, struct_size, 0);
UNCHANNEL_AT(unchannel_simulate_args, next, 8);
UNCHANNEL_AT(unchannel_simulate_args, x, 16);
UNCHANNEL_AT(unchannel_simulate_args, latents, 24);
UNCHANNEL_AT(unchannel_simulate_args, latent_count, 32);
UNCHANNEL_AT(unchannel_simulate_args, reserved, 36);
UNCHANNEL_AT(unchannel_simulate_args, y, 40);
UNCHANNEL_SIZE(unchannel_lift_args, 48);
UNCHANNEL_AT(unchannel_lift_args, struct_size, 0);
UNCHANNEL_AT(unchannel_lift_args, next, 8);
UNCHANNEL_AT(unchannel_lift_args, y, 16);
UNCHANNEL_AT(unchannel_lift_args, latents, 24);
UNCHANNEL_AT(unchannel_lift_args, latent_count, 32);
UNCHANNEL_AT(unchannel_lift_args, reserved, 36);
UNCHANNEL_AT(unchannel_lift_args, lifted, 40);
UNCHANNEL_SIZE(unchannel_mean_args, 48);
UNCHANNEL_AT(unchannel_mean_args, struct_size, 0);
UNCHANNEL_AT(unchannel_mean_args, next, 8);
UNCHANNEL_AT(unchannel_mean_args, x, 16);
UNCHANNEL_AT(unchannel_mean_args, latents, 24);
UNCHANNEL_AT(unchannel_mean_args, latent_count, 32);
UNCHANNEL_AT(unchannel_mean_args, reserved, 36);
UNCHANNEL_AT(unchannel_mean_args, mean, 40);
UNCHANNEL_SIZE(unchannel_vjp_args, 56);
UNCHANNEL_AT(unchannel_vjp_args, struct_size, 0);
UNCHANNEL_AT(unchannel_vjp_args, next, 8);
UNCHANNEL_AT(unchannel_vjp_args, x, 16);
UNCHANNEL_AT(unchannel_vjp_args, latents, 24);
UNCHANNEL_AT(unchannel_vjp_args, latent_count, 32);
UNCHANNEL_AT(unchannel_vjp_args, reserved, 36);
UNCHANNEL_AT(unchannel_vjp_args, cotangent, 40);
UNCHANNEL_AT(unchannel_vjp_args, gradient, 48);
UNCHANNEL_SIZE(unchannel_jvp_args, 56);
UNCHANNEL_AT(unchannel_jvp_args, struct_size, 0);
UNCHANNEL_AT(unchannel_jvp_args, next, 8);
UNCHANNEL_AT(unchannel_jvp_args, x, 16);
UNCHANNEL_AT(unchannel_jvp_args, latents, 24);
UNCHANNEL_AT(unchannel_jvp_args, latent_count, 32);
UNCHANNEL_AT(unchannel_jvp_args, reserved, 36);
UNCHANNEL_AT(unchannel_jvp_args, tangent, 40);
UNCHANNEL_AT(unchannel_jvp_args, derivative, 48);
UNCHANNEL_SIZE(unchannel_adjoint_args, 48);
UNCHANNEL_AT(unchannel_adjoint_args, struct_size, 0);
UNCHANNEL_AT(unchannel_adjoint_args, next, 8);
UNCHANNEL_AT(unchannel_adjoint_args, y, 16);
UNCHANNEL_AT(unchannel_adjoint_args, latents, 24);
UNCHANNEL_AT(unchannel_adjoint_args, latent_count, 32);
UNCHANNEL_AT(unchannel_adjoint_args, reserved, 36);
UNCHANNEL_AT(unchannel_adjoint_args, x, 40);
UNCHANNEL_SIZE(unchannel_loglik_args, 64);
UNCHANNEL_AT(unchannel_loglik_args, struct_size, 0);
UNCHANNEL_AT(unchannel_loglik_args, next, 8);
UNCHANNEL_AT(unchannel_loglik_args, y, 16);
UNCHANNEL_AT(unchannel_loglik_args, x, 24);
UNCHANNEL_AT(unchannel_loglik_args, latents, 32);
UNCHANNEL_AT(unchannel_loglik_args, latent_count, 40);
UNCHANNEL_AT(unchannel_loglik_args, reserved, 44);
UNCHANNEL_AT(unchannel_loglik_args, loglik, 48);
UNCHANNEL_AT(unchannel_loglik_args, gradient, 56);
UNCHANNEL_SIZE(unchannel_core_1, 80);
UNCHANNEL_AT(unchannel_core_1, create, 0);
UNCHANNEL_AT(unchannel_core_1, destroy, 8);
UNCHANNEL_AT(unchannel_core_1, parameter_count, 16);
UNCHANNEL_AT(unchannel_core_1, parameter, 24);
UNCHANNEL_AT(unchannel_core_1, latent_count, 32);
UNCHANNEL_AT(unchannel_core_1, latent, 40);
UNCHANNEL_AT(unchannel_core_1, configure, 48);
UNCHANNEL_AT(unchannel_core_1, draw_latents, 56);
UNCHANNEL_AT(unchannel_core_1, simulate, 64);
UNCHANNEL_AT(unchannel_core_1, get_extension, 72);
UNCHANNEL_SIZE(unchannel_lift_1, 8);
UNCHANNEL_AT(unchannel_lift_1, lift, 0);
UNCHANNEL_SIZE(unchannel_mean_1, 8);
UNCHANNEL_AT(unchannel_mean_1, mean, 0);
UNCHANNEL_SIZE(unchannel_vjp_1, 8);
UNCHANNEL_AT(unchannel_vjp_1, vjp, 0);
UNCHANNEL_SIZE(unchannel_jvp_1, 8);
UNCHANNEL_AT(unchannel_jvp_1, jvp, 0);
UNCHANNEL_SIZE(unchannel_adjoint_1, 8);
UNCHANNEL_AT(unchannel_adjoint_1, adjoint, 0);
UNCHANNEL_SIZE(unchannel_loglik_1, 8);
UNCHANNEL_AT(unchannel_loglik_1, loglik, 0);
UNCHANNEL_SIZE(unchannel_cuda_1, 24);
UNCHANNEL_AT(unchannel_cuda_1, operations, 0);
UNCHANNEL_AT(unchannel_cuda_1, prepare, 8);
UNCHANNEL_AT(unchannel_cuda_1, release, 16);
UNCHANNEL_SIZE(unchannel_threads_1, 8);
UNCHANNEL_AT(unchannel_threads_1, set_budget, 0);
UNCHANNEL_SIZE(unchannel_module, 48);
UNCHANNEL_AT(unchannel_module, abi_major, 0);
UNCHANNEL_AT(unchannel_module, abi_minor, 4);
UNCHANNEL_AT(unchannel_module, init, 8);
UNCHANNEL_AT(unchannel_module, shutdown, 16);
UNCHANNEL_AT(unchannel_module, channel_count, 24);
UNCHANNEL_AT(unchannel_module, channel_descriptor, 32);
UNCHANNEL_AT(unchannel_module, get_table, 40);
#undef UNCHANNEL_SIZE
#undef UNCHANNEL_AT

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* UNCHANNEL_CHANNEL_H */
