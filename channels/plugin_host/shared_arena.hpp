#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace unchannel {

/// Memory shared with one child process: an anonymous file that can grow and never shrink, so that touching it cannot raise SIGBUS.
class SharedArena {
 public:
  /// The host's side: makes the file. Throws PluginError.
  SharedArena();
  /// The child's side: maps a file that was handed down. Throws PluginError when it is none or could shrink.
  explicit SharedArena(int descriptor);
  SharedArena(const SharedArena&) = delete;
  SharedArena& operator=(const SharedArena&) = delete;
  ~SharedArena();

  int descriptor() const noexcept { return descriptor_; }
  std::span<char> memory() const noexcept { return {data_, size_}; }
  /// At least `bytes` long afterwards; what memory() gave before is void. Throws PluginError when there is no memory.
  void grow(std::uint64_t bytes);
  /// The child's side: whether the host has made the file longer than what memory() shows. Throws PluginError.
  bool has_grown() const;
  /// The child's side of grow: maps what the file holds now. Throws PluginError.
  void follow();

 private:
  void map(std::uint64_t bytes);
  std::uint64_t file_bytes() const;
  int descriptor_ = -1;
  char* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace unchannel
