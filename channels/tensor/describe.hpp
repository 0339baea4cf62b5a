#pragma once

#include <string>
#include <unchannel/plugin_host/description.hpp>
#include <vector>

namespace unchannel {

/// The description of a built-in channel whose sample i depends on nothing but itself, its key and its id. Parameters, latents and
/// capabilities are added by the functions below.
ChannelDescription describe_built_in(const std::string& id, const std::string& name, const std::string& description);

/// A real parameter in [min, max]; `flags`: UNCHANNEL_PARAMETER_*. Infinity as `max` is outside the range.
void add_real(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc, double value, double min,
              double max, std::uint32_t flags = 0);
void add_integer(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc, std::int64_t value,
                 std::int64_t min, std::int64_t max, std::uint32_t flags = 0);
void add_choice(ChannelDescription& channel, const std::string& id, const std::string& doc, const std::string& value,
                const std::vector<std::string>& choices);
/// noise_sigma: the standard deviation of Gaussian noise.
void add_noise_sigma(ChannelDescription& channel, double value);
/// boundary: what a kernel sees beyond the border.
void add_boundary(ChannelDescription& channel, const std::string& value);

/// A latent that the model sees unless the configuration says otherwise; `dtype`: UNCHANNEL_LATENT_*.
void add_latent(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc,
                const std::string& prior, std::int32_t dtype);

}  // namespace unchannel
