#pragma once

#include <memory>
#include <unchannel/measurement/channel.hpp>

#include "built_in_channel.hpp"

/// The channels that need no plugin; each has a file of its name. describe_…() is its schema; make_…() throws ConfigError when the
/// parameters do not fit each other or the signals.
namespace unchannel {

ChannelDescription describe_awgn();
ChannelDescription describe_random_mask();
ChannelDescription describe_block_mask();
ChannelDescription describe_gaussian_blur();
ChannelDescription describe_motion_blur();
ChannelDescription describe_poisson();
ChannelDescription describe_poisson_additive();
ChannelDescription describe_downsample();
ChannelDescription describe_quantise();
ChannelDescription describe_noise();

std::unique_ptr<Channel> make_awgn(BuiltInSetup setup);
std::unique_ptr<Channel> make_random_mask(BuiltInSetup setup);
std::unique_ptr<Channel> make_block_mask(BuiltInSetup setup);
std::unique_ptr<Channel> make_gaussian_blur(BuiltInSetup setup);
std::unique_ptr<Channel> make_motion_blur(BuiltInSetup setup);
std::unique_ptr<Channel> make_poisson(BuiltInSetup setup);
std::unique_ptr<Channel> make_poisson_additive(BuiltInSetup setup);
std::unique_ptr<Channel> make_downsample(BuiltInSetup setup);
std::unique_ptr<Channel> make_quantise(BuiltInSetup setup);
std::unique_ptr<Channel> make_noise(BuiltInSetup setup);

/// Descriptions of all of these.
std::vector<ChannelDescription> described_built_ins();
/// One of them, configured; null when there is none with this id. Throws ConfigError.
std::unique_ptr<Channel> make_built_in(const std::string& id, const std::vector<std::int64_t>& signal_shape,
                                       const nlohmann::json& parameters, const nlohmann::json& latent_options);

}  // namespace unchannel
