#pragma once

#include <cstdint>

namespace unchannel {

/// A worker's accident leaves no core file.
void forbid_core_files();

/// Private memory of this process and of those that it starts; 0: none. Without effect under a sanitizer.
void limit_private_memory(std::uint64_t bytes);

/// Budget of the thread pools of OpenMP, OpenBLAS and MKL in this process and in those that it starts; what the user has set stays.
void limit_library_threads(std::uint32_t threads);

/// Half of the machine's memory: what a plugin may use where nobody says otherwise.
std::uint64_t half_of_memory_bytes();

/// Memory that was freed is used again instead of given back (glibc; up to 256 MiB, single blocks up to 32 MiB): a simulator whose
/// temporaries are megabytes would otherwise get them page by page from the kernel in every batch, a fifth of NumPy's time.
void keep_freed_memory();
/// The same for programs that this process starts from now on; what the user has set stays.
void let_programs_keep_freed_memory();

}  // namespace unchannel
