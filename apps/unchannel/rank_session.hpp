#pragma once

#include <functional>

#include <unchannel/distributed/ranks.hpp>

namespace unchannel {

/// Runs `body` as one process of a job, or as the only one. A failure that every rank has is said by the first one; a failure of one rank alone is
/// said by it and ends the others.
void run_as_rank(const std::function<void(Ranks&)>& body);

}  // namespace unchannel
