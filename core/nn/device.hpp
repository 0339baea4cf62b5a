#pragma once

#include <c10/core/Device.h>

#include <memory>
#include <string>

#include "network.hpp"

namespace unchannel {

/// What `model.device = "auto"` means here: "cuda" where this build and this machine have one, otherwise "cpu".
std::string native_device();

/// The device of "cpu" or "cuda"; "auto" as above. Throws ConfigError for "cuda" where there is none.
c10::Device device_named(const std::string& name);

/// `network` with its weights on `device`. Inputs and outputs stay in the processor's memory: what they take to copy is small beside a network that
/// is worth a GPU, and everything else (channel, path, solver, random numbers) has the same bits as without one. The same network for the CPU.
std::unique_ptr<Network> on_device(std::unique_ptr<Network> network, c10::Device device);

}  // namespace unchannel
