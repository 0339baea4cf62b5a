/* One way to be a bad plugin, chosen by a definition. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unchannel/channel.h>
#include <unistd.h>

#if defined(BAD_CRASH)
__attribute__((constructor)) static void at_load(void) { raise(SIGSEGV); }
#elif defined(BAD_HANG)
__attribute__((constructor)) static void at_load(void) {
  for (;;) pause();
}
#elif defined(BAD_QUITS)
__attribute__((constructor)) static void at_load(void) { _exit(0); }
#elif defined(BAD_PRINTS)
__attribute__((constructor)) static void at_load(void) {
  printf("{\"good\": false, \"reason\": \"forged\"}\nwelcome to my instrument\n");
  fflush(stdout);
}
#elif defined(BAD_GREEDY)
/* 100 GB in blocks that overcommitting systems give one by one. */
__attribute__((constructor)) static void at_load(void) {
  for (int i = 0; i < 100; ++i) {
    if (malloc((size_t)1 << 30) == NULL) abort();
  }
}
#elif defined(BAD_CHDIR)
__attribute__((constructor)) static void at_load(void) {
  if (chdir("/") != 0) abort();
}
#elif defined(BAD_FLUSH_TO_ZERO)
/* What linking with -ffast-math does. */
#if defined(__x86_64__)
#include <xmmintrin.h>
__attribute__((constructor)) static void at_load(void) { _mm_setcsr(_mm_getcsr() | 0x8040u); }
#else
__attribute__((constructor)) static void at_load(void) { __asm__ volatile("msr fpcr, %0" : : "r"(1ull << 24)); }
#endif
#elif defined(BAD_EXIT_CRASH)
__attribute__((destructor)) static void at_exit(void) { abort(); }
#elif defined(BAD_NO_SYMBOL)
void some_other_function(void);
void some_other_function(void) {}
#elif defined(BAD_UNRESOLVED)
extern const unchannel_module* function_of_a_missing_library(void);
const unchannel_module* unchannel_entry(uint32_t major, uint32_t minor) {
  (void)major, (void)minor;
  return function_of_a_missing_library();
}
#else

static int32_t init(const unchannel_host* host) {
  host->set_error(host, "no licence server at example.org");
  return UNCHANNEL_RETRYABLE;
}
static void shut_down(void) {}
#if defined(BAD_INIT_FAILS)
static uint32_t channel_count(void) { return 1; }
#else
static uint32_t channel_count(void) { return 0; }
#endif
static const unchannel_descriptor* channel_descriptor(uint32_t channel) {
  static const unchannel_descriptor descriptor = {"org.example.bad", "bad", "1.0.0", "", "", "", "", 0, 0};
  (void)channel;
  return &descriptor;
}
static const void* get_table(uint32_t channel, const char* id) {
  (void)channel, (void)id;
  return NULL;
}
const unchannel_module* unchannel_entry(uint32_t host_major, uint32_t host_minor) {
#if defined(BAD_FUTURE)
  /* A later interface keeps the first two fields only. */
  static const uint32_t later[2] = {UNCHANNEL_ABI_MAJOR + 1, 3};
  (void)init, (void)shut_down, (void)channel_count, (void)channel_descriptor, (void)get_table, (void)host_major, (void)host_minor;
  return (const unchannel_module*)(const void*)later;
#else
  static const unchannel_module module = {UNCHANNEL_ABI_MAJOR, UNCHANNEL_ABI_MINOR, init, shut_down, channel_count, channel_descriptor, get_table};
  (void)host_major, (void)host_minor;
#if defined(BAD_NULL_MODULE)
  (void)module;
  return NULL;
#else
  return &module;
#endif
#endif
}
#endif
