#include "cuda_call.hpp"

#include <chrono>
#include <cstring>
#include <thread>

#include "verdict.hpp"

namespace unchannel::conformance {
namespace {

constexpr unsigned kNonBlocking = 1;  // CU_STREAM_NON_BLOCKING
constexpr auto kGatePatience = std::chrono::seconds(2);

void* host_view(CudaDriver::Pointer pointer) { return reinterpret_cast<void*>(static_cast<std::uintptr_t>(pointer)); }

}  // namespace

CudaDevice::CudaDevice(const CudaDriver& driver) : driver_(driver) {
  require(driver_.device(&device_, kWhere.index), "cuDeviceGet");
  require(driver_.retain_context(&context_, device_), "cuDevicePrimaryCtxRetain");
  require(driver_.set_context(context_), "cuCtxSetCurrent");
  require(driver_.create_stream(&stream_, kNonBlocking), "cuStreamCreate");
}

CudaDevice::~CudaDevice() {
  driver_.destroy_stream(stream_);
  driver_.release_context(device_);
}

bool CudaDevice::is_current() const {
  void* current = nullptr;
  return driver_.get_context(&current) == 0 && current == context_;
}

void CudaDevice::require(int result, const char* what) const {
  const char* text = nullptr;
  if (result != 0 && driver_.error_text(result, &text) != 0) text = nullptr;
  check<CheckFailed>(result == 0, "{} answers {}: {}.", what, result, text ? text : "unknown error");
}

CudaCall::~CudaCall() {
  state_.open = true;
  device_.driver().synchronize_stream(stream());
  for (const CudaDriver::Pointer block : blocks_) device_.driver().release(block);
  for (const Upload& upload : uploads_) device_.driver().release_pinned(upload.pinned);
}

CudaDriver::Pointer CudaCall::allocate(std::size_t bytes, unsigned char fill) {
  CudaDriver::Pointer memory = 0;
  device_.require(device_.driver().allocate(&memory, bytes + 1), "cuMemAlloc");
  blocks_.push_back(memory);
  device_.require(device_.driver().fill(memory, fill, bytes), "cuMemsetD8");
  return memory;
}

void* CudaCall::input(const void* from, std::size_t bytes) {
  Upload upload{allocate(bytes, 0xFF), nullptr, bytes};
  device_.require(device_.driver().allocate_pinned(&upload.pinned, bytes + 1, 0), "cuMemHostAlloc");
  uploads_.push_back(upload);
  if (bytes > 0) std::memcpy(upload.pinned, from, bytes);
  return host_view(upload.to);
}

void* CudaCall::output(std::size_t bytes, unsigned char fill) { return host_view(allocate(bytes, fill)); }

void CudaCall::begin() {
  device_.require(device_.driver().synchronize(), "cuCtxSynchronize");  // the fills above
  if (gated_) device_.require(device_.driver().launch_host_function(stream(), &wait_at_gate, &state_), "cuLaunchHostFunc");
  for (const Upload& upload : uploads_) {
    if (upload.bytes > 0)
      device_.require(device_.driver().upload_async(upload.to, upload.pinned, upload.bytes, stream()), "cuMemcpyHtoDAsync");
  }
  if (!gated_) device_.require(device_.driver().synchronize_stream(stream()), "cuStreamSynchronize");
}

void CudaCall::end() {
  state_.open = true;
  device_.require(device_.driver().synchronize_stream(stream()), "the work that the plugin enqueued");
}

void CudaCall::fetch(const void* from, void* to, std::size_t bytes) const {
  if (bytes > 0) device_.require(device_.driver().download(to, reinterpret_cast<std::uintptr_t>(from), bytes), "cuMemcpyDtoH");
}

void CudaCall::wait_at_gate(void* state) {
  auto& gate = *static_cast<State*>(state);
  const auto end = std::chrono::steady_clock::now() + kGatePatience;
  while (!gate.open) {
    if (std::chrono::steady_clock::now() > end) {
      gate.expired = true;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

}  // namespace unchannel::conformance
