/* Accidents on schedule, for a plugin that a test compiles: test_worker_accidents.py puts this in front of the simulate of a new project.
 *
 * The schedule lives in a file that UNCHANNEL_TEST_FAULTS names, outside all that a channel declares: samples counted so far by all
 * workers, one accident after every `interval` of them until `limit` have happened. The count goes on in the next worker, so the repeated
 * call goes well. Without the variable nothing happens. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
  uint64_t interval, limit;
  _Atomic uint64_t samples;
  _Atomic uint64_t happened[5]; /* crashes, hangs, exits, kills, memory blow-ups */
} test_faults;

static test_faults* open_test_faults(void) {
  static test_faults* schedule;
  static int looked;
  const char* file = getenv("UNCHANNEL_TEST_FAULTS");
  if (looked || file == NULL) return schedule;
  looked = 1;
  const int descriptor = open(file, O_RDWR | O_CLOEXEC);
  void* memory = descriptor < 0 ? MAP_FAILED : mmap(NULL, sizeof(test_faults), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  if (memory != MAP_FAILED) schedule = memory;
  return schedule;
}

static void test_fault(void) {
  test_faults* schedule = open_test_faults();
  if (schedule == NULL) return;
  const uint64_t sample = atomic_fetch_add(&schedule->samples, 1);
  if (sample % schedule->interval != schedule->interval - 1 || sample / schedule->interval >= schedule->limit) return;
  const uint64_t kind = sample / schedule->interval % 5;
  atomic_fetch_add(&schedule->happened[kind], 1);
  if (kind == 0) raise(SIGSEGV);
  while (kind == 1) pause();
  if (kind == 2) exit(0);
  if (kind == 3) raise(SIGKILL);
  for (;;) { /* memory: does not look at what it gets */
    const size_t bytes = (size_t)32 << 20;
    char* block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile char*)block = 1;
  }
}
