#pragma once

#include <cstdint>
#include <memory>

namespace unchannel {

/// Counts the bytes that tensors of this thread hold on the CPU while it lives, and their peak. Memory of plugins and of libraries that
/// allocate by themselves is not seen. One meter at a time.
class MemoryMeter {
 public:
  MemoryMeter();
  ~MemoryMeter();
  MemoryMeter(const MemoryMeter&) = delete;
  MemoryMeter& operator=(const MemoryMeter&) = delete;

  std::int64_t peak_bytes() const;
  /// Forgets the peak; what is held now counts on.
  void reset_peak();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace unchannel
