#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/plugin_host/description.hpp>

namespace unchannel {

/// Additive white Gaussian noise, y = x + σ n, n ~ N(0, 1) independent. The same bits as the plugin template for the same key and ids.
/// Has mean, vjp and loglik. Throws ConfigError (unknown parameter, σ < 0).
std::unique_ptr<Channel> make_awgn(const std::vector<std::int64_t>& signal_shape, const nlohmann::json& parameters);

/// Its schema.
ChannelDescription describe_awgn();

}  // namespace unchannel
