# `cmake --install build/release --prefix DIR` gives a tree that can be moved as a whole:
#   bin/unchannel, bin/unchannel-worker    lib/unchannel/*.so*  LibTorch and what it needs    lib/unchannel/plugins/*.so
# System libraries (HDF5, CFITSIO, ...) stay with the distribution.
include(GNUInstallDirs)

# Plain lib/, whatever the distribution calls its library folder: the program searches <program>/../lib/unchannel/plugins.
foreach(plugin IN ITEMS spectrograph tomography jpeg umbridge)
  if(TARGET ${plugin})
    install(TARGETS ${plugin} LIBRARY DESTINATION lib/unchannel/plugins)
  endif()
endforeach()
install(FILES LICENSE README.md CHANGELOG.md DESTINATION "${CMAKE_INSTALL_DOCDIR}")

if(NOT TARGET unchannel)
  return()
endif()
install(TARGETS unchannel RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
if(EXISTS "${PROJECT_SOURCE_DIR}/configs")
  install(DIRECTORY configs DESTINATION "${CMAKE_INSTALL_DATADIR}/unchannel" FILES_MATCHING PATTERN "*.toml" PATTERN "*.md")
endif()

install(CODE "set(built \"$<TARGET_FILE:unchannel>\")
set(library_dir \"lib/unchannel\")
set(program \"${CMAKE_INSTALL_BINDIR}/unchannel\")")
install(CODE [[
  # What the program needs and the system does not have: libtorch_cpu, libc10, and from the wheels libgomp, libcudart, libcupti.
  file(GET_RUNTIME_DEPENDENCIES EXECUTABLES "${built}"
    RESOLVED_DEPENDENCIES_VAR needed UNRESOLVED_DEPENDENCIES_VAR unresolved
    PRE_EXCLUDE_REGEXES "^lib(c|m|dl|rt|pthread|stdc\\+\\+|gcc_s)\\.so" "^ld-linux" POST_EXCLUDE_REGEXES "^/(usr/)?lib")
  if(unresolved)
    message(FATAL_ERROR "${built}: needs ${unresolved}, found nowhere. Run script/setup and script/build again.")
  endif()
  # The wheels' libraries look for each other in $ORIGIN, too: one folder is enough.
  file(INSTALL ${needed} DESTINATION "${CMAKE_INSTALL_PREFIX}/${library_dir}" TYPE SHARED_LIBRARY FOLLOW_SYMLINK_CHAIN)
  file(RELATIVE_PATH to_libraries "${CMAKE_INSTALL_PREFIX}/bin" "${CMAKE_INSTALL_PREFIX}/${library_dir}")
  file(RPATH_SET FILE "$ENV{DESTDIR}${CMAKE_INSTALL_PREFIX}/${program}" NEW_RPATH "\$ORIGIN/${to_libraries}")
]])
