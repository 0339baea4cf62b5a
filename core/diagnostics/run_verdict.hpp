#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/settings.hpp>

#include "recoverability.hpp"
#include "verdict.hpp"

namespace unchannel::diagnostics {

/// A verdict with everything it is based on.
struct RunVerdict {
  std::int64_t step = 0;
  Verdict verdict;
  Facts facts;
  std::vector<RecoverableDirection> recoverability;  ///< empty where the movement could not be judged
};

/// Judges the run in the folder `run` at its last checkpoint: reads metrics.jsonl and, where that tells whether the run moves, restores
/// training, early-stop and test observations, simulates settings.verdict.replicas sets of them and probes the channel. `progress` is
/// called after each set and may throw to stop. Throws DataError (no or damaged checkpoint or metrics), what the channel throws.
RunVerdict judge_run(const std::filesystem::path& run, const TrainSettings& settings, const Channel& channel,
                     const std::function<void(std::int64_t)>& progress);

/// How many directions the data determine, in words; empty without a probe.
std::string recoverability_in_words(const std::vector<RecoverableDirection>& directions);

/// The record of metrics.jsonl: docs/reference/run_folder.md.
nlohmann::json to_json(const RunVerdict& verdict);

}  // namespace unchannel::diagnostics
