# Compile time is the scarcest resource of this project: cache objects, link with mold, build optimised by default.
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(UNCHANNEL_CCACHE ccache)
if(UNCHANNEL_CCACHE)
  # Precompiled headers need the two sloppiness settings; without them ccache never hits a torch file.
  set(launcher "${CMAKE_COMMAND}" -E env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime "${UNCHANNEL_CCACHE}")
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()

find_program(UNCHANNEL_MOLD mold)
if(UNCHANNEL_MOLD AND CMAKE_CXX_COMPILER_ID MATCHES "GNU|Clang")
  add_link_options(-fuse-ld=mold)
endif()

if(UNCHANNEL_SANITIZE)
  add_compile_options(-fsanitize=${UNCHANNEL_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${UNCHANNEL_SANITIZE})
endif()

# Warnings are errors in our own code only: the target is linked privately and never reaches a user's compiler.
add_library(unchannel_warnings INTERFACE)
target_compile_options(unchannel_warnings INTERFACE
  $<$<COMPILE_LANGUAGE:CXX,C>:-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror>)
# GCC 12 reports -Wrestrict for plain std::string concatenation (GCC bug 105651); later versions are quiet.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  target_compile_options(unchannel_warnings INTERFACE -Wno-restrict)
endif()
