#pragma once

#include <cstdint>

namespace unchannel {

/// A worker's accident leaves no core file.
void forbid_core_files();

/// Private memory of this process and of those that it starts; 0: none. Without effect under a sanitizer.
void limit_private_memory(std::uint64_t bytes);

}  // namespace unchannel
