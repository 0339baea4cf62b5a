# LibTorch: a user's own through CMAKE_PREFIX_PATH (TorchConfig.cmake), else the Python wheel that script/setup placed in .deps.
# The wheel's TorchConfig insists on a CUDA SDK, so for CPU builds its libraries are linked directly.
set(UNCHANNEL_LIBTORCH_ROOT "" CACHE PATH "torch folder of a Python wheel (contains include/ and lib/)")
add_library(unchannel_torch INTERFACE)
add_library(unchannel::torch ALIAS unchannel_torch)

if(NOT UNCHANNEL_LIBTORCH_ROOT)
  find_package(Torch QUIET PATHS ${CMAKE_PREFIX_PATH} NO_DEFAULT_PATH)
endif()
if(Torch_FOUND)
  message(STATUS "LibTorch: ${TORCH_INSTALL_PREFIX} (CMAKE_PREFIX_PATH)")
  target_link_libraries(unchannel_torch INTERFACE ${TORCH_LIBRARIES})
  set(UNCHANNEL_LIBTORCH_LIBRARY_DIR "${TORCH_INSTALL_PREFIX}/lib")
else()
  if(NOT UNCHANNEL_LIBTORCH_ROOT)
    file(GLOB UNCHANNEL_LIBTORCH_ROOT LIST_DIRECTORIES true "${PROJECT_SOURCE_DIR}/.deps/venv/lib/python3*/site-packages/torch")
  endif()
  if(NOT EXISTS "${UNCHANNEL_LIBTORCH_ROOT}/include/ATen/ATen.h")
    message(FATAL_ERROR "LibTorch not found: run script/setup, or give your own with -DCMAKE_PREFIX_PATH=/path/to/libtorch")
  endif()
  if(UNCHANNEL_WITH_CUDA AND EXISTS "${UNCHANNEL_LIBTORCH_ROOT}/lib/libtorch_cuda.so" AND EXISTS "${UNCHANNEL_LIBTORCH_ROOT}/../nvidia/cudnn")
    set(torch_devices "CPU and CUDA")
  else()
    set(torch_devices "CPU")
  endif()
  message(STATUS "LibTorch: ${UNCHANNEL_LIBTORCH_ROOT} (Python wheel, ${torch_devices})")
  set(UNCHANNEL_LIBTORCH_LIBRARY_DIR "${UNCHANNEL_LIBTORCH_ROOT}/lib")
  target_include_directories(unchannel_torch SYSTEM INTERFACE
    "${UNCHANNEL_LIBTORCH_ROOT}/include" "${UNCHANNEL_LIBTORCH_ROOT}/include/torch/csrc/api/include")
  target_link_libraries(unchannel_torch INTERFACE
    "${UNCHANNEL_LIBTORCH_LIBRARY_DIR}/libtorch_cpu.so" "${UNCHANNEL_LIBTORCH_LIBRARY_DIR}/libc10.so")
  if(torch_devices STREQUAL "CPU and CUDA")
    # Nothing refers to it by name: it registers the GPU's operators when it is loaded.
    target_link_libraries(unchannel_torch INTERFACE
      "-Wl,--push-state,--no-as-needed" "${UNCHANNEL_LIBTORCH_LIBRARY_DIR}/libtorch_cuda.so" "-Wl,--pop-state")
  endif()
  # libtorch_cpu pulls in libcudart and libcupti of the wheels beside it.
  file(GLOB nvidia_lib LIST_DIRECTORIES true "${UNCHANNEL_LIBTORCH_ROOT}/../nvidia/cu13/lib")
  target_link_options(unchannel_torch INTERFACE "LINKER:-rpath,${UNCHANNEL_LIBTORCH_LIBRARY_DIR}" "LINKER:--allow-shlib-undefined")
  foreach(folder IN LISTS nvidia_lib)
    target_link_options(unchannel_torch INTERFACE "LINKER:-rpath,${folder}")
  endforeach()
endif()

# Torch's headers bundle fmt 12 in the same include folder as everything else; our code must see the system's fmt 9.
set(shim "${CMAKE_BINARY_DIR}/shim")
file(MAKE_DIRECTORY "${shim}")
foreach(name fmt spdlog)
  if(EXISTS "/usr/include/${name}" AND NOT EXISTS "${shim}/${name}")
    file(CREATE_LINK "/usr/include/${name}" "${shim}/${name}" SYMBOLIC)
  endif()
endforeach()
target_include_directories(unchannel_torch BEFORE INTERFACE "${shim}")

# One precompiled header for every target that includes torch/nn.h: 21 s a file become 10 s.
add_library(unchannel_torch_pch OBJECT "${PROJECT_SOURCE_DIR}/cmake/torch_pch.cpp")
target_link_libraries(unchannel_torch_pch PUBLIC unchannel_torch PRIVATE unchannel_warnings)
target_precompile_headers(unchannel_torch_pch PRIVATE <torch/nn.h> <torch/optim.h>)

# unchannel_use_torch_pch(TARGET): reuse the header above; the compile options must agree with it.
function(unchannel_use_torch_pch target)
  get_target_property(type ${target} TYPE)
  if(type STREQUAL "EXECUTABLE")
    # CMake compiles executables with -fPIE, which a header precompiled with -fPIC refuses.
    set_target_properties(${target} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
    target_compile_options(${target} PRIVATE -fPIC)
  endif()
  target_precompile_headers(${target} REUSE_FROM unchannel_torch_pch)
endfunction()
