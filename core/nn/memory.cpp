#include "memory.hpp"

#include <cstdlib>
#include <limits>
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace unchannel {

void keep_freed_memory() {
#ifdef __GLIBC__
  constexpr int kTopPad = 64 << 20;
  ::mallopt(M_MMAP_MAX, 0);  // a mapping of its own for every large block would be given back each time
  ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  ::mallopt(M_TOP_PAD, kTopPad);
  ::setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);  // read by the tensor library at its first allocation
#endif
}

}  // namespace unchannel
