#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unchannel/plugin_host/probe.hpp>

#include "request.hpp"

namespace unchannel::conformance {

/// The child's side of one seed: a random configuration within the schema, then random calls (batch sizes, extreme numbers in x, struct
/// forms, guarded buffers, stop requests), all of them a pure function of the seed. Any answer with a documented status is right. Writes a
/// line of JSON like a check. Returns 0 when an answer was written, 2 for a wrong request.
int fuzz_in_this_process(std::uint64_t seed, CheckRequest request);

struct FuzzSettings {
  CheckRequest request{};
  std::uint64_t first_seed = 1;
  std::int64_t seeds = 100;
  double time_limit_s = 20;  ///< for one seed
  ProbeSettings probe{};
  std::function<void(std::uint64_t seed)> progress{};  ///< before each seed; may be empty
};

struct FuzzOutcome {
  std::int64_t tried = 0;
  bool failed = false;
  std::uint64_t seed = 0;  ///< the first that failed
  std::string reason;
};

/// Tries seeds one after another, each in a process of its own, until one fails. Throws as check_file does.
FuzzOutcome fuzz_file(const FuzzSettings& settings);

}  // namespace unchannel::conformance
