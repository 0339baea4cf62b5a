#pragma once

#include <cstdint>
#include <string>

namespace unchannel::conformance {

/// The functions of the CUDA driver (libcuda.so.1) that the checks need, found at run time: the checker is built without CUDA, and runs
/// without it. Declared here after NVIDIA's documentation of the driver interface, whose binary form is fixed; results: 0 is success.
struct CudaDriver {
  using Pointer = unsigned long long;  // CUdeviceptr
  using HostFunction = void (*)(void* user);

  int (*init)(unsigned flags);
  int (*device_count)(int* count);
  int (*device)(int* device, int ordinal);
  int (*retain_context)(void** context, int device);
  int (*release_context)(int device);
  int (*set_context)(void* context);
  int (*get_context)(void** context);
  int (*synchronize)();
  int (*allocate)(Pointer* memory, std::size_t bytes);
  int (*release)(Pointer memory);
  int (*fill)(Pointer memory, unsigned char value, std::size_t bytes);
  int (*upload_async)(Pointer to, const void* from, std::size_t bytes, void* stream);
  int (*download)(void* to, Pointer from, std::size_t bytes);
  int (*allocate_pinned)(void** memory, std::size_t bytes, unsigned flags);
  int (*release_pinned)(void* memory);
  int (*create_stream)(void** stream, unsigned flags);
  int (*destroy_stream)(void* stream);
  int (*synchronize_stream)(void* stream);
  int (*launch_host_function)(void* stream, HostFunction function, void* user);
  int (*error_text)(int error, const char** text);
};

/// NULL where there is no driver or no device; `why` then says what is missing. Started once for the life of the process.
const CudaDriver* cuda_driver(std::string& why);

}  // namespace unchannel::conformance
