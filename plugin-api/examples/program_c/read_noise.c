/* A channel that is a C program: y = gain x + sigma n, n ~ N(0, 1). It speaks docs/reference/worker_protocol.md through its pipes with
 * nothing but the C library and the random numbers of the SDK. Build: cc -O2 -I INCLUDE read_noise.c -lm -o read_noise */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unchannel/random.h>

static const char kDescription[] =
    "{\"type\":\"description\",\"channels\":[{\"id\":\"org.example.read_noise\",\"name\":\"Read noise\",\"version\":\"1.0.0\","
    "\"vendor\":\"\",\"url\":\"\",\"licence\":\"Apache-2.0\",\"description\":\"y = gain x + sigma n\",\"determinism\":\"per_sample\","
    "\"thread_class\":\"instance_serial\",\"capabilities\":[],\"latents\":[],\"parameters\":["
    "{\"id\":\"gain\",\"type\":\"f64\",\"unit\":\"1\",\"doc\":\"Factor.\",\"default\":1.0,\"min\":-1e6,\"max\":1e6,\"flags\":[]},"
    "{\"id\":\"sigma\",\"type\":\"f64\",\"unit\":\"1\",\"doc\":\"Noise.\",\"default\":0.05,\"min\":0.0,\"max\":1e6,\"flags\":[]}]}]}";

typedef struct message {
  char* header; /* JSON without blanks between its tokens, ending in a zero byte */
  char* data;
  uint64_t bytes; /* of data */
} message;

#define MOST_BYTES ((uint64_t)1 << 32) /* of one message: lengths come from outside */

static void* take(uint64_t bytes) {
  void* memory = bytes <= MOST_BYTES ? malloc(bytes + 1) : NULL;
  if (memory == NULL || fread(memory, 1, bytes, stdin) != bytes) exit(1);
  ((char*)memory)[bytes] = '\0';
  return memory;
}

/* 0 at the end of the conversation. */
static int read_message(message* m) {
  char prefix[16];
  uint32_t header_bytes;
  if (fread(prefix, 1, sizeof prefix, stdin) != sizeof prefix) return 0;
  if (memcmp(prefix, "UCW1", 4) != 0) exit(1);
  memcpy(&header_bytes, prefix + 4, 4);
  memcpy(&m->bytes, prefix + 8, 8);
  m->header = take(header_bytes);
  m->data = take(m->bytes);
  return 1;
}

static void answer(const char* header, const void* data, uint64_t bytes) {
  const uint32_t header_bytes = (uint32_t)strlen(header);
  fwrite("UCW1", 1, 4, stdout);
  fwrite(&header_bytes, 4, 1, stdout);
  fwrite(&bytes, 8, 1, stdout);
  fwrite(header, 1, header_bytes, stdout);
  fwrite(data, 1, bytes, stdout);
  fflush(stdout);
}

/* The text behind "key": in json; the program never sends what this could take for a key elsewhere. */
static const char* value(const char* json, const char* key) {
  char pattern[64];
  snprintf(pattern, sizeof pattern, "\"%s\":", key);
  const char* found = strstr(json, pattern);
  if (found == NULL) exit(1);
  return found + strlen(pattern);
}

/* The object in the list "tensors" or "outputs" with this name, as a text of its own. The objects are flat. */
static char* buffer(const char* header, const char* list, const char* name) {
  static char object[512];
  char pattern[64];
  snprintf(pattern, sizeof pattern, "\"name\":\"%s\"", name);
  for (const char* begin = strchr(value(header, list), '{'); begin != NULL; begin = strchr(begin + 1, '{')) {
    snprintf(object, sizeof object, "%.*s", (int)strcspn(begin, "}"), begin);
    if (strstr(object, pattern) != NULL) return object;
  }
  exit(1);
}

/* Where a buffer of `count` entries of `size` bytes lies in a region of `bytes`; all of it must lie inside. */
static uint64_t offset(const char* header, const char* list, const char* name, uint64_t count, uint64_t size, uint64_t bytes) {
  const uint64_t at = strtoull(value(buffer(header, list, name), "offset"), NULL, 10);
  if (at > bytes || count > (bytes - at) / size || at % size != 0) exit(1);
  return at;
}

static void simulate(const message* m, double gain, double sigma) {
  const uint64_t key = unchannel_derive(strtoull(value(m->header, "key") + 1, NULL, 16), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
  const uint64_t count = strtoull(value(m->header, "count"), NULL, 10), bytes = strtoull(value(m->header, "output_bytes"), NULL, 10);
  const char* shape = value(buffer(m->header, "tensors", "x"), "shape"); /* [count,…] */
  const char* end = shape + strcspn(shape, "]");
  uint64_t width = 1;
  while ((shape = memchr(shape, ',', (size_t)(end - shape))) != NULL) {
    if (__builtin_mul_overflow(width, strtoull(++shape, NULL, 10), &width)) exit(1);
  }
  uint64_t values;
  if (bytes > MOST_BYTES || __builtin_mul_overflow(count, width, &values)) exit(1);
  const uint64_t* ids = (const uint64_t*)(m->data + offset(m->header, "tensors", "ids", count, 8, m->bytes));
  const float* x = (const float*)(m->data + offset(m->header, "tensors", "x", values, 4, m->bytes));
  char* results = calloc(1, bytes + 1); /* zero: every sample_status is well */
  if (results == NULL) exit(1);
  float* y = (float*)(results + offset(m->header, "outputs", "y", values, 4, bytes));
  for (uint64_t i = 0; i < values; ++i) {
    const float n = unchannel_normal(key, ids[i / width], i % width, 0); /* of this sample, wherever it stands in a batch */
    y[i] = (float)(gain * x[i] + sigma * n);
  }
  answer("{\"type\":\"result\"}", results, bytes);
  free(results);
}

static int is(const message* m, const char* type) {
  const char* found = value(m->header, "type");
  return strncmp(found + 1, type, strlen(type)) == 0 && found[1 + strlen(type)] == '"';
}

static void configure(const message* m, double* gain, double* sigma) {
  char text[1024];
  const char* shape = value(m->header, "x_shape");
  *gain = strtod(value(m->header, "gain"), NULL);
  *sigma = strtod(value(m->header, "sigma"), NULL);
  snprintf(text, sizeof text,
           "{\"type\":\"configured\",\"y_shape\":%.*s],\"latents\":[],\"offers\":[],\"canonical\":\"gain = %.17g\\nsigma = %.17g\\n\"}",
           (int)strcspn(shape, "]"), shape, *gain, *sigma);
  answer(text, "", 0);
}

int main(void) {
  double gain = 1, sigma = 0;
  for (message m; read_message(&m) && !is(&m, "shutdown"); free(m.header), free(m.data)) {
    if (is(&m, "hello")) {
      answer("{\"type\":\"hello\",\"protocol\":1,\"program\":\"read_noise\",\"shared_memory\":false}", "", 0);
    } else if (is(&m, "describe")) {
      answer(kDescription, "", 0);
    } else if (is(&m, "create")) {
      answer("{\"type\":\"created\"}", "", 0);
    } else if (is(&m, "configure")) {
      configure(&m, &gain, &sigma);
    } else if (is(&m, "draw_latents")) { /* there are none: as many zeros as are asked for */
      const uint64_t bytes = strtoull(value(m.header, "output_bytes"), NULL, 10);
      void* zeros = bytes <= MOST_BYTES ? calloc(1, bytes + 1) : NULL;
      answer("{\"type\":\"result\"}", zeros, zeros == NULL ? 0 : bytes);
      free(zeros);
    } else if (is(&m, "simulate")) {
      simulate(&m, gain, sigma);
    } else {
      answer("{\"type\":\"error\",\"status\":\"BAD_ARGUMENT\",\"message\":\"this program does nothing of the kind.\"}", "", 0);
    }
  }
  return 0;
}
