#include "process_limits.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace unchannel {
namespace {

void limit(int resource, std::uint64_t bytes) {
  rlimit value{};
  ::getrlimit(resource, &value);
  value.rlim_cur = std::min<rlim_t>(bytes, value.rlim_max);
  value.rlim_max = value.rlim_cur;
  ::setrlimit(resource, &value);
}

}  // namespace

void forbid_core_files() { limit(RLIMIT_CORE, 0); }

void limit_private_memory(std::uint64_t bytes) {
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // their shadow memory is private memory of terabytes
  if (bytes > 0) limit(RLIMIT_DATA, bytes);
#else
  (void)bytes;
#endif
}

}  // namespace unchannel
