#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <unchannel/measurement/channel.hpp>
#include <vector>

namespace unchannel {

/// A latent with what the user may not change about it.
struct LatentChoice {
  LatentSpec spec;         ///< with the channel's defaults
  bool data_only = false;  ///< cannot be drawn: source "own" or "data"
};

/// Applies [channel.latents.NAME] tables: `options` is {NAME: {visible: bool, source: "fresh"|"own"|"data"}}. `inactive`: latents that the
/// channel declares but this configuration has not. Throws ConfigError for unknown names, keys, types and for drawing what cannot be drawn.
std::vector<LatentSpec> apply_latent_options(const std::string& channel, std::vector<LatentChoice> latents,
                                             const std::vector<std::string>& inactive, const nlohmann::json& options);

const char* latent_source_name(LatentSource source);

}  // namespace unchannel
