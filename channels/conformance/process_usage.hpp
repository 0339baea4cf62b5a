#pragma once

#include <cstdint>

namespace unchannel::conformance {

/// What this process holds now.
struct ProcessUsage {
  int threads = 0;
  int open_files = 0;
  double cpu_s = 0;
  std::int64_t resident_bytes = 0;
  std::int64_t allocated_bytes = 0;  ///< by malloc, of all threads; 0 where the C library's allocator is replaced (sanitizers)

  static ProcessUsage now();
};

}  // namespace unchannel::conformance
