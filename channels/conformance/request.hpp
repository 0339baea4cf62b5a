#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <unchannel/plugin_host/plugin_call.hpp>
#include <vector>

namespace unchannel::conformance {

/// What is to be checked, and under which configuration.
struct CheckRequest {
  std::filesystem::path file{};
  std::string channel{};           ///< empty: every channel, or the first where one is needed
  std::filesystem::path config{};  ///< TOML; empty: defaults of the schema
  nlohmann::json parameters = nlohmann::json::object();
  std::optional<ChannelShape> x_shape{};  ///< absent: the first of candidate_shapes() that configure accepts

  /// Folder that relative paths among the parameters start at.
  std::filesystem::path folder() const;
};

/// Fills channel, parameters and x_shape from `request.config`: `[channel.parameters]` and, before any table, `x_shape = [3, 32, 32]`;
/// other keys of [channel] that a run's configuration has are allowed. `channel.id` counts unless request.channel is set. Throws
/// ConfigError.
void read_check_config(CheckRequest& request);

/// Signal shapes that are tried, in order: [64], [32, 32], [3, 32, 32] and a few more.
const std::vector<ChannelShape>& candidate_shapes();

std::string shape_text(const ChannelShape& shape);  ///< "[3, 32, 32]"

}  // namespace unchannel::conformance
