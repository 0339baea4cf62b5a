#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "request.hpp"

namespace unchannel::conformance {

/// One check. It runs in a process of its own and ends by returning (pass) or by an exception of verdict.hpp.
struct CheckInfo {
  const char* id;
  const char* claim;   ///< what a pass shows, one sentence
  const char* remedy;  ///< what to do about a failure
  bool per_channel;    ///< false: once for the file
  double time_limit_s;
  void (*run)(const CheckRequest& request, nlohmann::json& detail);
};

/// All 29 in the order in which they are run: each relies on what the ones above it show.
const std::vector<CheckInfo>& all_checks();

/// Throws ConfigError with a suggestion when there is none with this id.
const CheckInfo& find_check(const std::string& id);

}  // namespace unchannel::conformance
