#pragma once

#include <memory>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/theory/linear_channel.hpp>

namespace unchannel::verification {

/// y = H x + n with n ~ N(0, R) as a channel of the engine: a black box that only draws. Its arithmetic is float32, its noise Philox by key and id.
std::unique_ptr<Channel> make_gaussian_channel(const theory::LinearChannel& law);

}  // namespace unchannel::verification
