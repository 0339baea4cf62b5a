#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "profile.hpp"

namespace unchannel::identification {

/// The trainings of all members at `value` and what they come to; `neighbour` is a value that has been trained before, if any.
using Measure = std::function<std::vector<std::vector<Discrepancy>>(double value, std::optional<double> neighbour)>;

/// Evenly spaced values from below, since signals give up what a larger value takes from them more readily than they take it on, then
/// unknown.refinements rounds of next_values. Throws what `measure` throws.
Profile search(const UnknownSettings& unknown, std::vector<Statistic> statistics, const Measure& measure);

}  // namespace unchannel::identification
