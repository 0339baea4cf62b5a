#pragma once

#include "call.hpp"

namespace unchannel::conformance {

/// B samples to call with: x uniform in (0.1, 0.9), ids first_id, first_id + 1, …, latents drawn by the plugin (those that only come with
/// data: ones, or zeros for integers), y simulated, tangent and cotangent standard normal. Throws CheckFailed when drawing or simulating
/// does.
Batch make_batch(const Instance& instance, std::int64_t count, std::uint64_t key = 0x5EED, std::uint64_t first_id = 100);

/// x, tangent, cotangent and latents alone: nothing simulated, y is zero.
Batch make_inputs(const Instance& instance, std::int64_t count, std::uint64_t key, std::uint64_t first_id);

/// Puts the latents that draw_latents wrote into the batch.
void take_latents(const Instance& instance, const CallResult& drawn, Batch& batch);

/// "latents ivar, mask come with data; ones and zeros were made up for them", or "".
std::string made_up_latents(const Instance& instance);

/// 64, less for large signals: about 2^22 numbers in x and y together.
std::int64_t sample_count(const Layout& layout, std::int64_t wanted = 64);

/// Rows 0 … count − 1.
std::vector<std::size_t> range(std::size_t begin, std::size_t end);

}  // namespace unchannel::conformance
