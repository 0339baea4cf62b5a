#include "cufft_library.hpp"

#include <dlfcn.h>

namespace tomography {
namespace {

struct Loaded {
  CufftLibrary functions{};
  std::string why;
};

template <class Function>
void find(void* library, const char* name, Function& function, std::string& why) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  if (function == nullptr) {
    why = std::string("the cuFFT library has no function ") + name + ".";
  }
}

Loaded load() {
  Loaded loaded;
  const std::string name = "libcufft.so." + std::to_string(CUFFT_VER_MAJOR);
  void* const library = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    const char* const reason = dlerror();
    loaded.why = "cuFFT cannot be loaded (" + std::string(reason != nullptr ? reason : name) + "): put " + name + " on LD_LIBRARY_PATH.";
    return loaded;
  }
  CufftLibrary& functions = loaded.functions;
  find(library, "cufftPlanMany", functions.plan_many, loaded.why);
  find(library, "cufftDestroy", functions.destroy, loaded.why);
  find(library, "cufftSetStream", functions.set_stream, loaded.why);
  find(library, "cufftExecR2C", functions.real_to_complex, loaded.why);
  find(library, "cufftExecC2R", functions.complex_to_real, loaded.why);
  find(library, "cufftExecC2C", functions.complex_to_complex, loaded.why);
  return loaded;
}

}  // namespace

const CufftLibrary* cufft_library(std::string& why) {
  static const Loaded loaded = load();
  why = loaded.why;
  return why.empty() ? &loaded.functions : nullptr;
}

}  // namespace tomography
