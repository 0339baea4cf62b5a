#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace unchannel {

/// Aligned, uninitialised memory.
class AlignedMemory {
 public:
  /// nullptr inside when `bytes` cannot be had. `alignment`: a power of two.
  AlignedMemory(std::uint64_t bytes, std::uint64_t alignment);
  void* data() const noexcept { return memory_.get(); }
  std::uint64_t bytes() const noexcept { return bytes_; }

 private:
  struct Free {
    void operator()(void* memory) const noexcept;
  };
  std::uint64_t bytes_;
  std::unique_ptr<void, Free> memory_;
};

/// Workspaces for calls into plugins: each call has one for itself, and they are used again.
class WorkspacePool {
 public:
  class Lease {
   public:
    Lease(WorkspacePool& pool, std::unique_ptr<AlignedMemory> memory) : pool_(pool), memory_(std::move(memory)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease();
    void* data() const noexcept { return memory_ ? memory_->data() : nullptr; }
    std::uint64_t bytes() const noexcept { return memory_ ? memory_->bytes() : 0; }

   private:
    WorkspacePool& pool_;
    std::unique_ptr<AlignedMemory> memory_;
  };

  /// At least `bytes`, aligned to 64; empty for 0. Throws PluginError when there is no memory.
  Lease take(std::uint64_t bytes);

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<AlignedMemory>> idle_;
};

}  // namespace unchannel
