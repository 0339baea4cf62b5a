#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/description.hpp>

#include "latent_options.hpp"

namespace unchannel {

/// The plugin interface's words (UNCHANNEL_DETERMINISM_*, latents) in those of the abstract Channel.
Determinism determinism_of(std::int32_t determinism);
LatentChoice latent_choice(const LatentDescription& latent, std::vector<std::int64_t> shape);

/// {NAME: {visible, source}}, for a channel's canonical configuration.
nlohmann::json latent_record(const std::vector<LatentSpec>& latents);

}  // namespace unchannel
