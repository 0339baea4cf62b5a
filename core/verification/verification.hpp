#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "claims.hpp"
#include "learned_iteration.hpp"

namespace unchannel::verification {

struct Verification {
  std::vector<SchemeResult> schemes;
  std::vector<Claim> claims;

  /// Every tested claim holds, and the iterates were tested.
  bool holds() const;
};

/// Optimiser steps in all, for a progress bar.
std::int64_t steps_of(const std::vector<Scheme>& schemes, const VerifySettings& settings);

/// Trains and compares every scheme. Throws what learned_iterates throws.
Verification verify(const std::vector<Scheme>& schemes, const VerifySettings& settings, const StepWatcher& watcher);

/// Everything measured, units in the keys: docs/reference/verification.md.
nlohmann::json to_json(const Verification& verification);

}  // namespace unchannel::verification
