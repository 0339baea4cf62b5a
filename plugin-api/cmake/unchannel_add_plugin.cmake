# unchannel_add_plugin(NAME SOURCES a.cpp b.c … [LINKS target …])
# One loadable library NAME.so in ${CMAKE_BINARY_DIR}/plugins. Everything is hidden but the entry symbol; -fno-gnu-unique keeps the library unloadable and
# its inline variables its own. Link what the plugin needs statically where you can: the host process already exports a BLAS.

function(unchannel_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "SOURCES;LINKS")
  if(NOT arg_SOURCES)
    message(FATAL_ERROR "unchannel_add_plugin(${name}): SOURCES is missing")
  endif()
  set(map "${CMAKE_CURRENT_FUNCTION_LIST_DIR}/unchannel_plugin.map")
  add_library(${name} MODULE ${arg_SOURCES})
  set_target_properties(${name} PROPERTIES
    PREFIX "" SUFFIX ".so"
    C_VISIBILITY_PRESET hidden CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/plugins"
    LINK_DEPENDS "${map}")
  target_compile_options(${name} PRIVATE "$<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>")
  target_link_options(${name} PRIVATE "LINKER:--version-script=${map}" "LINKER:--no-undefined" "LINKER:-z,now")
  target_link_libraries(${name} PRIVATE unchannel::plugin_api ${arg_LINKS})
endfunction()
