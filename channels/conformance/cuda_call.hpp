#pragma once

#include <unchannel/channel.h>

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "cuda_driver.hpp"

namespace unchannel::conformance {

/// The first CUDA device, its primary context current on this thread (the one that CUDA's runtime uses, too), and a stream that does not
/// wait for the default one. Throws CheckUntested without a device; every function throws CheckFailed with CUDA's own words.
class CudaDevice {
 public:
  explicit CudaDevice(const CudaDriver& driver);
  CudaDevice(const CudaDevice&) = delete;
  CudaDevice& operator=(const CudaDevice&) = delete;
  ~CudaDevice();

  const CudaDriver& driver() const noexcept { return driver_; }
  void* stream() const noexcept { return stream_; }
  static constexpr unchannel_device kWhere{UNCHANNEL_DEVICE_CUDA, 0};
  /// Whether the context is still the current one.
  bool is_current() const;
  void require(int result, const char* what) const;

 private:
  const CudaDriver& driver_;
  int device_ = 0;
  void* context_ = nullptr;
  void* stream_ = nullptr;
};

/// The device memory of one call. Without a gate everything is in place before it. With one, what the plugin reads is copied by the stream
/// itself, behind the gate: work on another stream, or done at once, sees only 0xFF bytes.
class CudaCall {
 public:
  enum class Gate { none, closed };
  CudaCall(const CudaDevice& device, Gate gate) : device_(device), gated_(gate == Gate::closed) {}
  CudaCall(const CudaCall&) = delete;
  CudaCall& operator=(const CudaCall&) = delete;
  ~CudaCall();

  void* input(const void* from, std::size_t bytes);
  void* output(std::size_t bytes, unsigned char fill);
  /// Right before the plugin: the gate if there is one, then the copies of the inputs.
  void begin();
  /// Right after it has returned: opens the gate and waits for the stream.
  void end();
  void fetch(const void* from, void* to, std::size_t bytes) const;
  void* stream() const noexcept { return device_.stream(); }
  /// The plugin returned only after the gate had given up: it waits for the stream or the device.
  bool waited() const noexcept { return state_.expired; }

 private:
  struct Upload {
    CudaDriver::Pointer to;
    void* pinned;
    std::size_t bytes;
  };
  struct State {
    std::atomic<bool> open{false}, expired{false};
  };
  static void wait_at_gate(void* state);
  CudaDriver::Pointer allocate(std::size_t bytes, unsigned char fill);

  const CudaDevice& device_;
  bool gated_;
  State state_;
  std::vector<CudaDriver::Pointer> blocks_;
  std::vector<Upload> uploads_;
};

}  // namespace unchannel::conformance
