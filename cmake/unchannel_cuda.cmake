# nvcc from CMAKE_CUDA_COMPILER or CUDACXX, else the toolkit that `script/setup --cuda` placed in .deps/cuda, else from PATH. No GPU is needed.
if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(UNCHANNEL_NVCC nvcc HINTS "${PROJECT_SOURCE_DIR}/.deps/cuda/bin")
  if(NOT UNCHANNEL_NVCC)
    message(FATAL_ERROR "UNCHANNEL_WITH_CUDA needs nvcc 13: run script/setup --cuda, or give yours with -DCMAKE_CUDA_COMPILER=/path/to/nvcc")
  endif()
  set(CMAKE_CUDA_COMPILER "${UNCHANNEL_NVCC}")
endif()
# Turing and Hopper as machine code; what lies between and after compiles the intermediate code at its first use.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES "75;90")
endif()
enable_language(CUDA)
if(CMAKE_CUDA_COMPILER_VERSION VERSION_LESS 13)
  message(FATAL_ERROR "${CMAKE_CUDA_COMPILER} is nvcc ${CMAKE_CUDA_COMPILER_VERSION}; 13.0 or newer is needed: run script/setup --cuda")
endif()
find_package(CUDAToolkit REQUIRED)  # CUDA::cudart_static
# CMake 3.25 does not know this compiler's flag for C++20.
set(CMAKE_CUDA_STANDARD 17)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)

# Everything that nvcc compiles and what is linked from it: the target that CI builds.
add_custom_target(unchannel_kernels)

# unchannel_cuda_sources(TARGET a.cu …): kernels of TARGET, which the C++ compiler links with a CUDA runtime of its own inside.
function(unchannel_cuda_sources target)
  target_sources(${target} PRIVATE ${ARGN})
  set_target_properties(${target} PROPERTIES LINKER_LANGUAGE CXX CUDA_VISIBILITY_PRESET hidden CUDA_RUNTIME_LIBRARY Static)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=-Wall,-Wextra,-Werror;-Werror=all-warnings>")
  target_link_libraries(${target} PRIVATE CUDA::cudart_static)
  # Libraries that a target looks up while it runs (cuFFT) are those of this toolkit as long as it lies in the build folder.
  set_property(TARGET ${target} APPEND PROPERTY BUILD_RPATH "${CUDAToolkit_LIBRARY_DIR}")
  add_dependencies(unchannel_kernels ${target})
endfunction()
