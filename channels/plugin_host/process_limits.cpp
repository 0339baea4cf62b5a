#include "process_limits.hpp"

#include <malloc.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>

namespace unchannel {
namespace {

void limit(int resource, std::uint64_t bytes) {
  rlimit value{};
  ::getrlimit(resource, &value);
  value.rlim_cur = std::min<rlim_t>(bytes, value.rlim_max);
  value.rlim_max = value.rlim_cur;
  ::setrlimit(resource, &value);
}

constexpr int kKept_bytes = 256 << 20;
constexpr int kMappedAlone_bytes = 32 << 20;  // the most that glibc accepts

}  // namespace

void keep_freed_memory() {
  ::mallopt(M_TRIM_THRESHOLD, kKept_bytes);
  ::mallopt(M_MMAP_THRESHOLD, kMappedAlone_bytes);
}

void let_programs_keep_freed_memory() {
  ::setenv("MALLOC_TRIM_THRESHOLD_", std::to_string(kKept_bytes).c_str(), 0);
  ::setenv("MALLOC_MMAP_THRESHOLD_", std::to_string(kMappedAlone_bytes).c_str(), 0);
}

void forbid_core_files() { limit(RLIMIT_CORE, 0); }

void limit_library_threads(std::uint32_t threads) {
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) ::setenv(name, std::to_string(threads).c_str(), 0);
}

std::uint64_t half_of_memory_bytes() {
  return static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(::sysconf(_SC_PAGE_SIZE)) / 2;
}

void limit_private_memory(std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their shadow memory is private memory of terabytes
  if (bytes > 0) limit(RLIMIT_DATA, bytes);
#else
  (void)bytes;
#endif
}

}  // namespace unchannel
