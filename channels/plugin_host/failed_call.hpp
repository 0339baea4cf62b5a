#pragma once

#include <filesystem>
#include <string>

#include "plugin_instance.hpp"

namespace unchannel {

/// The messages that open a conversation with a worker about a configured channel.
nlohmann::json hello_message(std::uint64_t shared_bytes);
nlohmann::json create_message(const std::string& channel, std::uint32_t threads);
nlohmann::json configure_message(const ChannelShape& x_shape, const nlohmann::json& parameters);

/// Writes a call that made workers fail as a conversation that repeats it: `unchannel-worker --serve PLUGIN < FILE`. Returns the file,
/// private and named after channel, function, first id and content. Throws DataError.
std::filesystem::path save_failed_call(const std::filesystem::path& folder, const PluginInstance& channel, const BatchCall& call,
                                       const std::string& reason);

}  // namespace unchannel
