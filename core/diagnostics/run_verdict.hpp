#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/settings.hpp>

#include "verdict.hpp"

namespace unchannel::diagnostics {

/// A verdict with everything it is based on.
struct RunVerdict {
  std::int64_t step = 0;
  Verdict verdict;
  Facts facts;
};

/// Judges the run in the folder `run` at its last checkpoint. Reads metrics.jsonl, restores training, early-stop and test observations and simulates
/// settings.verdict.replicas sets of them; the latter only where the movement of the run can be judged at all. `progress` is called after each set and
/// may throw to stop. Throws DataError (no or damaged checkpoint or metrics), what the channel throws.
RunVerdict judge_run(const std::filesystem::path& run, const TrainSettings& settings, const Channel& channel, const std::function<void(std::int64_t)>& progress);

/// The record of metrics.jsonl: docs/reference/run_folder.md.
nlohmann::json to_json(const RunVerdict& verdict);

}  // namespace unchannel::diagnostics
