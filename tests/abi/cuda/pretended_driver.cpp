// What the checks, and the channels beside this file, call of libcuda.so.1, on a machine without a GPU: device memory is CPU memory, and a
// stream holds its work back until somebody synchronises, so that work which is not on the stream comes too early for certain.
#include <cstdlib>
#include <cstring>
#include <functional>
#include <vector>

namespace {

using Pointer = unsigned long long;
using Stream = std::vector<std::function<void()>>;

int context_here, context_elsewhere;
thread_local void* current = nullptr;

void* memory(Pointer pointer) { return reinterpret_cast<void*>(static_cast<std::size_t>(pointer)); }

}  // namespace

#define DRIVER extern "C" __attribute__((visibility("default"))) int

DRIVER cuInit(unsigned) { return 0; }
DRIVER cuDeviceGetCount(int* count) { return *count = 1, 0; }
DRIVER cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? 0 : 101; }
DRIVER cuDevicePrimaryCtxRetain(void** context, int) { return *context = &context_here, 0; }
DRIVER cuDevicePrimaryCtxRelease_v2(int) { return 0; }
DRIVER cuCtxSetCurrent(void* context) { return current = context != nullptr ? context : &context_elsewhere, 0; }
DRIVER cuCtxGetCurrent(void** context) { return *context = current, 0; }
DRIVER cuCtxSynchronize() { return 0; }
DRIVER cuMemAlloc_v2(Pointer* allocated, std::size_t bytes) {
  *allocated = reinterpret_cast<std::size_t>(std::aligned_alloc(64, (bytes + 63) / 64 * 64));
  return 0;
}
DRIVER cuMemFree_v2(Pointer pointer) { return std::free(memory(pointer)), 0; }
DRIVER cuMemsetD8_v2(Pointer pointer, unsigned char value, std::size_t bytes) { return std::memset(memory(pointer), value, bytes), 0; }
DRIVER cuMemcpyHtoDAsync_v2(Pointer to, const void* from, std::size_t bytes, void* stream) {
  static_cast<Stream*>(stream)->push_back([=] { std::memcpy(memory(to), from, bytes); });
  return 0;
}
DRIVER cuMemcpyDtoH_v2(void* to, Pointer from, std::size_t bytes) { return std::memcpy(to, memory(from), bytes), 0; }
DRIVER cuMemHostAlloc(void** allocated, std::size_t bytes, unsigned) { return *allocated = std::malloc(bytes), 0; }
DRIVER cuMemFreeHost(void* allocated) { return std::free(allocated), 0; }
DRIVER cuStreamCreate(void** stream, unsigned) { return *stream = new Stream, 0; }
DRIVER cuStreamDestroy_v2(void* stream) { return delete static_cast<Stream*>(stream), 0; }
DRIVER cuStreamSynchronize(void* stream) {
  Stream work;
  work.swap(*static_cast<Stream*>(stream));
  for (const auto& item : work) item();
  return 0;
}
DRIVER cuLaunchHostFunc(void* stream, void (*function)(void*), void* user) {
  static_cast<Stream*>(stream)->push_back([=] { function(user); });
  return 0;
}
DRIVER cuGetErrorString(int, const char** text) { return *text = "pretended", 0; }
