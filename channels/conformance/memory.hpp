#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace unchannel::conformance {

/// Where the buffers of one call come from. Lives as long as the call; may be asked for several buffers.
class Memory {
 public:
  virtual ~Memory() = default;
  /// A copy of `bytes` bytes for the plugin to read; `name` is for messages.
  virtual void* input(const std::string& name, const void* from, std::size_t bytes) = 0;
  /// For the plugin to write, every byte set to `fill`. `alignment`: 64 for the workspace, otherwise that of the elements.
  virtual void* output(const std::string& name, std::size_t bytes, unsigned char fill, std::size_t alignment) = 0;
  /// Called when everything is in place, right before the plugin.
  virtual void seal() {}
};

/// Heap memory with room to spare behind every buffer, so that a plugin that writes past an end is found by the check whose business
/// it is, not by a crash in another one.
class HeapMemory final : public Memory {
 public:
  void* input(const std::string& name, const void* from, std::size_t bytes) override;
  void* output(const std::string& name, std::size_t bytes, unsigned char fill, std::size_t alignment) override;

 private:
  std::vector<std::unique_ptr<std::byte[]>> blocks_;
};

struct GuardedRegion;  // one buffer between two forbidden pages
enum class GuardSide { after, before };

/// Every buffer touches a page that must not be touched, behind it or in front of it, and what is to be read is read-only. After
/// watch_guards() a violation ends the process by way of `report(text)`.
class GuardedMemory final : public Memory {
 public:
  explicit GuardedMemory(GuardSide side);
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;
  ~GuardedMemory() override;
  void* input(const std::string& name, const void* from, std::size_t bytes) override;
  void* output(const std::string& name, std::size_t bytes, unsigned char fill, std::size_t alignment) override;
  void seal() override;
  /// Forbids every access from now on, and keeps the addresses taken: what a plugin kept a pointer to cannot be read any more.
  void lock();

 private:
  char* place(const std::string& name, std::size_t bytes, std::size_t alignment, bool writable);

  GuardSide side_;
  std::vector<std::unique_ptr<GuardedRegion>> regions_;
};

/// Installs a handler of SIGSEGV and SIGBUS that calls `report` with "reads or writes 4 bytes behind the end of y" and ends the process.
void watch_guards(void (*report)(const std::string& text));

}  // namespace unchannel::conformance
