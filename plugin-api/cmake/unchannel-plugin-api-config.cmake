# find_package(unchannel-plugin-api) gives the target unchannel::plugin_api and the function unchannel_add_plugin.
include("${CMAKE_CURRENT_LIST_DIR}/unchannel-plugin-api-targets.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/unchannel_add_plugin.cmake")
