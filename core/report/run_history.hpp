#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace unchannel::report {

/// One line of metrics.jsonl. Figures a line does not have are NaN.
struct Evaluation {
  static constexpr double kAbsent = std::numeric_limits<double>::quiet_NaN();
  double step = kAbsent;
  double elapsed_s = kAbsent;
  double network_calls = kAbsent;
  double loss = kAbsent;
  double gap_sliced_w2 = kAbsent;         ///< data units
  double gap_excess_relative = kAbsent;   ///< fraction of the observations' spread
  double gap_energy = kAbsent;            ///< data units
  double monitor_rmse = kAbsent;          ///< data units; only where the configuration names monitor signals
};

/// What a run left behind.
struct RunHistory {
  std::vector<Evaluation> evaluations;     ///< in the order of steps; gaps are those of the early-stop split
  std::optional<Evaluation> test;          ///< gap on the test split, once the run is finished
  std::string configuration;               ///< config.resolved.toml
  std::string provenance;                  ///< provenance.json, empty when the folder has none
};

/// Reads a run folder. A last line of metrics.jsonl that a crash cut short is left out. Throws ConfigError when `run` is no run folder,
/// DataError (file and line) when metrics.jsonl or provenance.json is damaged.
RunHistory read_run_history(const std::filesystem::path& run);

}  // namespace unchannel::report
