#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include <unchannel/measurement/channel.hpp>

#include "observations.hpp"

// Shape legend: N rows · D data dimension
namespace unchannel {

/// Observations that a start is fitted to, and the latents that came with them.
struct ObservedSample {
  at::Tensor y_ND;
  Latents latents;
};

/// As many training rows as 32,768 rows and 64 MiB allow, without those that could not be lifted; the moments need no more, and the file
/// may be far larger than the memory.
ObservedSample read_sample(const Observations& observations);

/// Latents that the channel does not draw itself: `count` rows drawn at random from the observed ones.
Latents bootstrap_latents(const Latents& observed, std::int64_t count, RandomKey key);

}  // namespace unchannel
