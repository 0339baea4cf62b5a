#pragma once

#include <nlohmann/json_fwd.hpp>

namespace unchannel {

/// Standard deviation of the white noise that a channel declares among its parameters, noise_sigma or sigma; of a composed one, that of
/// the last stage. 0 where it declares none, or noise of another kind (`noise` other than "gaussian"). `configuration`: Channel::configuration.
double declared_noise(const nlohmann::json& configuration);

}  // namespace unchannel
