# Tests written in Python run with the interpreter that script/setup placed in .deps/python (NumPy, SciPy, Astropy, h5py, Pillow),
# or with any python3, where only those that need no package can pass; the others end with code 77, which ctest lists as skipped.
find_program(UNCHANNEL_PYTHON python3 HINTS "${PROJECT_SOURCE_DIR}/.deps/python/bin" NO_CMAKE_SYSTEM_PATH NO_SYSTEM_ENVIRONMENT_PATH)
if(NOT UNCHANNEL_PYTHON)
  find_program(UNCHANNEL_PYTHON python3)
endif()

# unchannel_python_test(NAME layering.arrows SCRIPT check_layers.py [ARGS ...] [LABELS ...])
# A script called test_*.py is a unittest module and reports each of its tests; any other one is run as a program.
# The environment holds UNCHANNEL_SOURCE_DIR, UNCHANNEL_BINARY_DIR and UNCHANNEL_PROGRAM (absent in torch-free builds).
function(unchannel_python_test)
  cmake_parse_arguments(arg "" "NAME;SCRIPT" "ARGS;LABELS" ${ARGN})
  if(NOT UNCHANNEL_PYTHON)
    message(WARNING "${arg_NAME} is left out: there is no python3")
    return()
  endif()
  if(arg_SCRIPT MATCHES "^test_(.*)\\.py$")
    set(command "${UNCHANNEL_PYTHON}" -B -m unittest -v "test_${CMAKE_MATCH_1}")
  else()
    set(command "${UNCHANNEL_PYTHON}" -B "${CMAKE_CURRENT_SOURCE_DIR}/${arg_SCRIPT}" ${arg_ARGS})
  endif()
  add_test(NAME ${arg_NAME} COMMAND ${command} WORKING_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
  set(environment "UNCHANNEL_SOURCE_DIR=${PROJECT_SOURCE_DIR}" "UNCHANNEL_BINARY_DIR=${CMAKE_BINARY_DIR}")
  if(UNCHANNEL_WITH_TORCH)
    list(APPEND environment "UNCHANNEL_PROGRAM=${CMAKE_BINARY_DIR}/bin/unchannel")
  endif()
  set_tests_properties(${arg_NAME} PROPERTIES TIMEOUT 180 SKIP_RETURN_CODE 77 ENVIRONMENT "${environment}" LABELS "python;${arg_LABELS}")
endfunction()
