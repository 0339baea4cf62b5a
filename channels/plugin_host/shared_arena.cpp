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
  void* moved =
      data_ ? ::mremap(data_, size_, bytes, MREMAP_MAYMOVE) : ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor_, 0);
  check<PluginError>(moved != MAP_FAILED, "{} bytes of shared memory could not be mapped: {}. Use smaller batches.", bytes,
                     ::strerror(errno));
  data_ = static_cast<char*>(moved);
  size_ = bytes;
}

void SharedArena::grow(std::uint64_t bytes) {
  if (bytes <= size_) return;
  constexpr std::uint64_t kSmallest = 1 << 16;
  check<PluginError>(bytes <= std::uint64_t{1} << 46, "a batch of {} bytes is more than can be shared. Use smaller batches.", bytes);
  const std::uint64_t rounded = std::bit_ceil(std::max(bytes, kSmallest));
  check<PluginError>(::ftruncate(descriptor_, static_cast<off_t>(rounded)) == 0,
                     "{} bytes of shared memory could not be had: {}. Use smaller batches.", rounded, ::strerror(errno));
  map(rounded);
}

void SharedArena::follow() {
  struct stat status {};
  check<PluginError>(::fstat(descriptor_, &status) == 0, "shared memory could not be examined: {}.", ::strerror(errno));
  const auto bytes = static_cast<std::uint64_t>(status.st_size);
  if (bytes > size_) map(bytes);
}

}  // namespace unchannel
