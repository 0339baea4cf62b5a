#pragma once

#include <memory>

#include "ranks.hpp"

namespace unchannel {

/// Starts MPI for this process; once in its life. Throws ConfigError.
std::shared_ptr<Ranks> open_mpi_ranks();

}  // namespace unchannel
