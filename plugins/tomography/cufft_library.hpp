// cuFFT, looked up when it is first needed: the plugin must load on machines without CUDA, and cuFFT alone is 0.3 GB.
#pragma once

#include <cufft.h>

#include <string>

namespace tomography {

struct CufftLibrary {
  decltype(&::cufftPlanMany) plan_many;
  decltype(&::cufftDestroy) destroy;
  decltype(&::cufftSetStream) set_stream;
  decltype(&::cufftExecR2C) real_to_complex;
  decltype(&::cufftExecC2R) complex_to_real;
  decltype(&::cufftExecC2C) complex_to_complex;
};

/// NULL where the library of this major version, or one of its functions, is missing; `why` then says what. Thread-safe; loads once.
const CufftLibrary* cufft_library(std::string& why);

}  // namespace tomography
