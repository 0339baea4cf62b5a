#pragma once

#include <functional>
#include <vector>

#include "scheme.hpp"
#include "verify_settings.hpp"

namespace unchannel::verification {

/// Told after every optimiser step; may throw to stop.
using StepWatcher = std::function<void()>;

/// Iterates 0 … settings.iterations of the engine on a Gaussian case, as mean and covariance of their signals. Iterate 0 is drawn from the
/// start's law. Each next one trains a network on pairs (x, F(x)) of the last iterate, p = 1, to the end of its learning rate's fall, and
/// transports all observations with it. `repeat` chooses the random numbers.
/// Files lie in a temporary folder. Throws what Trainer throws.
std::vector<theory::Gaussian> learned_iterates(const Scheme& scheme, const VerifySettings& settings, std::int64_t repeat, const StepWatcher& watcher);

}  // namespace unchannel::verification
