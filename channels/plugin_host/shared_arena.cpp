#include "shared_arena.hpp"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kSmallest = std::uint64_t{1} << 16;
constexpr std::uint64_t kHugePage = std::uint64_t{2} << 20;

}  // namespace

SharedArena::SharedArena() : descriptor_(::memfd_create("unchannel", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
  check<PluginError>(descriptor_ >= 0, "shared memory could not be made: {}.", ::strerror(errno));
  // Without F_SEAL_SEAL the child could seal it against our own growing.
  if (::fcntl(descriptor_, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    const int error = errno;
    ::close(descriptor_);
    throw PluginError(fmt::format("shared memory could not be sealed: {}.", ::strerror(error)));
  }
}

SharedArena::SharedArena(int descriptor) {
  const int seals = ::fcntl(descriptor, F_GET_SEALS);
  check<PluginError>(seals >= 0 && (seals & F_SEAL_SHRINK) != 0, "descriptor {} is no shared memory that is sealed against shrinking.",
                     descriptor);
  descriptor_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 3);
  check<PluginError>(descriptor_ >= 0, "descriptor {} could not be copied: {}.", descriptor, ::strerror(errno));
  follow();
}

SharedArena::~SharedArena() {
  if (data_) ::munmap(data_, size_);
  ::close(descriptor_);
}

void SharedArena::map(std::uint64_t bytes) {
  // Huge pages need an address that is a multiple of theirs: room for one is reserved and the file mapped into it.
  void* reserved = ::mmap(nullptr, bytes + kHugePage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  check<PluginError>(reserved != MAP_FAILED, "{} bytes of shared memory could not be mapped: {}. Use smaller batches.", bytes,
                     ::strerror(errno));
  const auto begin = reinterpret_cast<std::uintptr_t>(reserved);
  const std::uintptr_t aligned = (begin + kHugePage - 1) / kHugePage * kHugePage;
  void* mapped = ::mmap(reinterpret_cast<void*>(aligned), bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, descriptor_, 0);
  const int error = errno;
  const std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  const std::uintptr_t end = aligned + (bytes + page - 1) / page * page;
  if (aligned > begin) ::munmap(reserved, aligned - begin);
  ::munmap(reinterpret_cast<void*>(mapped == MAP_FAILED ? aligned : end),
           begin + bytes + kHugePage - (mapped == MAP_FAILED ? aligned : end));
  check<PluginError>(mapped != MAP_FAILED, "{} bytes of shared memory could not be mapped: {}. Use smaller batches.", bytes,
                     ::strerror(error));
  // Batches of megabytes pass through here: fewer pages, none of them touched for the first time in the middle of a call.
  if (bytes >= kHugePage) ::madvise(mapped, bytes, MADV_HUGEPAGE);
  if (::madvise(mapped, bytes, MADV_POPULATE_WRITE) != 0 && errno != EINVAL) {  // EINVAL: Linux before 5.14 cannot
    const std::string problem = ::strerror(errno);
    ::munmap(mapped, bytes);
    throw PluginError(fmt::format("{} bytes of shared memory could not be had: {}. Use smaller batches.", bytes, problem));
  }
  if (data_) ::munmap(data_, size_);
  data_ = static_cast<char*>(mapped);
  size_ = bytes;
}

void SharedArena::grow(std::uint64_t bytes) {
  if (bytes <= size_) return;
  check<PluginError>(bytes <= std::uint64_t{1} << 46, "a batch of {} bytes is more than can be shared. Use smaller batches.", bytes);
  const std::uint64_t rounded =
      bytes < kHugePage ? std::bit_ceil(std::max(bytes, kSmallest)) : (bytes + kHugePage - 1) / kHugePage * kHugePage;
  const int status = ::ftruncate(descriptor_, static_cast<off_t>(rounded));
  const int problem = status == 0 ? 0 : errno;
  check<PluginError>(status == 0, "{} bytes of shared memory could not be had: {}. {}.", rounded, ::strerror(problem),
                     problem == EFBIG ? "They count as a file: raise the limit for files (ulimit -f)" : "Use smaller batches");
  map(rounded);
}

std::uint64_t SharedArena::file_bytes() const {
  struct stat status {};
  const int result = ::fstat(descriptor_, &status);
  check<PluginError>(result == 0, "shared memory could not be examined: {}.", ::strerror(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

bool SharedArena::has_grown() const { return file_bytes() > size_; }

void SharedArena::follow() {
  const std::uint64_t bytes = file_bytes();
  if (bytes > size_) map(bytes);
}

}  // namespace unchannel
