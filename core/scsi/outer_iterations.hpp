#pragma once

#include <cstdint>

#include "settings.hpp"

namespace unchannel {

/// Refreshes of the pool before the steps in [begin, end); none where scsi.refresh_every is 0.
std::int64_t refreshes_between(const ScsiSettings& settings, std::int64_t begin, std::int64_t end);

/// Outer iterations before `step`. The pool is refreshed in parts, so one is the transport of as many signals as the pool holds: `pool` of
/// them.
double outer_iterations(const ScsiSettings& settings, std::int64_t pool, std::int64_t step);

}  // namespace unchannel
