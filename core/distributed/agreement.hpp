#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ranks.hpp"

namespace unchannel {

/// Runs `local` on this rank while every other runs its own, then waits for all. When it fails anywhere, every rank throws the failure of the
/// first one that did, with that rank's name and the same exit code: nobody waits for a rank that gave up. `local` makes no collective calls.
/// Returns a stop signal that any rank received, given as `signal` (0: none); SIGTERM before SIGINT.
int together(Ranks& ranks, const std::function<void()>& local, int signal = 0);

/// Throws ConfigError on every rank unless all give the same `facts`, a JSON object; the message names the first rank and the first key that
/// differ, with both values.
void check_same_everywhere(Ranks& ranks, const nlohmann::json& facts);

/// Throws NumericalError on every rank unless all give the same `digest` of their weights.
void check_same_weights(Ranks& ranks, const std::string& digest);

}  // namespace unchannel
