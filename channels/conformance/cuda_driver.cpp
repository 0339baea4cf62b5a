#include "cuda_driver.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

namespace unchannel::conformance {
namespace {

struct Started {
  CudaDriver driver{};
  std::string why;
};

/// Looks every function up; the first that is missing is named.
class Finder {
 public:
  Finder(void* library, std::string& why) : library_(library), why_(why) {}
  template <class Function>
  void operator()(const char* name, Function& function) {
    function = reinterpret_cast<Function>(::dlsym(library_, name));
    if (!function && why_.empty()) why_ = fmt::format("the CUDA driver has no function {}", name);
  }

 private:
  void* library_;
  std::string& why_;
};

void find_all(void* library, CudaDriver& driver, std::string& why) {
  Finder find(library, why);
  find("cuInit", driver.init);
  find("cuDeviceGetCount", driver.device_count);
  find("cuDeviceGet", driver.device);
  find("cuDevicePrimaryCtxRetain", driver.retain_context);
  find("cuDevicePrimaryCtxRelease_v2", driver.release_context);
  find("cuCtxSetCurrent", driver.set_context);
  find("cuCtxGetCurrent", driver.get_context);
  find("cuCtxSynchronize", driver.synchronize);
  find("cuMemAlloc_v2", driver.allocate);
  find("cuMemFree_v2", driver.release);
  find("cuMemsetD8_v2", driver.fill);
  find("cuMemcpyHtoDAsync_v2", driver.upload_async);
  find("cuMemcpyDtoH_v2", driver.download);
  find("cuMemHostAlloc", driver.allocate_pinned);
  find("cuMemFreeHost", driver.release_pinned);
  find("cuStreamCreate", driver.create_stream);
  find("cuStreamDestroy_v2", driver.destroy_stream);
  find("cuStreamSynchronize", driver.synchronize_stream);
  find("cuLaunchHostFunc", driver.launch_host_function);
  find("cuGetErrorString", driver.error_text);
}

Started start() {
  Started started;
  void* const library = ::dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    started.why = "this machine has no CUDA driver (libcuda.so.1)";
    return started;
  }
  find_all(library, started.driver, started.why);
  if (!started.why.empty()) return started;
  int count = 0;
  const int begun = started.driver.init(0);
  if (begun != 0) {
    started.why = fmt::format("the CUDA driver does not start (error {})", begun);
  } else if (started.driver.device_count(&count) != 0 || count == 0) {
    started.why = "this machine has no CUDA device";
  }
  return started;
}

}  // namespace

const CudaDriver* cuda_driver(std::string& why) {
  static const Started started = start();
  why = started.why;
  return why.empty() ? &started.driver : nullptr;
}

}  // namespace unchannel::conformance
