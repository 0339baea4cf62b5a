# find_package(unchannel-plugin-api) gives the target unchannel::plugin_api and the functions unchannel_add_plugin, unchannel_test_plugin.
include("${CMAKE_CURRENT_LIST_DIR}/unchannel-plugin-api-targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/unchannel_add_plugin.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/unchannel_test_plugin.cmake")
