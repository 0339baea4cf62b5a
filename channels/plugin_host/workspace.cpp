#include "workspace.hpp"

#include <cstdlib>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::uint64_t kAlignment = 64;  // promised by channel.h

}  // namespace

AlignedMemory::AlignedMemory(std::uint64_t bytes, std::uint64_t alignment) : bytes_(bytes) {
  const std::uint64_t rounded = (bytes + alignment - 1) / alignment * alignment;
  if (rounded >= bytes) memory_.reset(std::aligned_alloc(alignment, rounded ? rounded : alignment));
}

void AlignedMemory::Free::operator()(void* memory) const noexcept { std::free(memory); }

WorkspacePool::Lease::~Lease() {
  if (!memory_) return;
  const std::lock_guard lock(pool_.mutex_);
  pool_.idle_.push_back(std::move(memory_));
}

WorkspacePool::Lease WorkspacePool::take(std::uint64_t bytes) {
  if (bytes == 0) return Lease(*this, nullptr);
  std::unique_ptr<AlignedMemory> memory;
  {
    const std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      memory = std::move(idle_.back());
      idle_.pop_back();
    }
  }
  if (!memory || memory->bytes() < bytes) memory = std::make_unique<AlignedMemory>(bytes, kAlignment);
  check<PluginError>(memory->data() != nullptr, "the plugin asks for a workspace of {} bytes, more than there is. Use smaller batches.",
                     bytes);
  return Lease(*this, std::move(memory));
}

}  // namespace unchannel
