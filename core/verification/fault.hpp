#pragma once

#include <memory>
#include <string>

#include <unchannel/interpolant/interpolant.hpp>
#include <unchannel/nn/network.hpp>

#include "scheme.hpp"

namespace unchannel::verification {

/// Throws ConfigError for a fault that no scheme could show: "epsilon_factor" where every transport is an ODE.
void check_fault_acts(const std::string& fault, const std::vector<Scheme>& schemes);

/// The interpolant that transports under the fault "epsilon_factor": twice the ε of the one that was trained. Others leave it as it is.
InterpolantSettings with_fault(const std::string& fault, InterpolantSettings interpolant);

/// `network` as it answers under a fault: "drift_sign" with the sign turned round, "time_grid" as if it were one level later on the way to the
/// signal, "swapped_schedule" as if t were 1 − t. Others leave it as it is.
std::unique_ptr<Network> with_fault(const std::string& fault, std::unique_ptr<Network> network, std::int64_t time_levels);

}  // namespace unchannel::verification
