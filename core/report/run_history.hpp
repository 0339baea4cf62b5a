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
  double outer_iterations = kAbsent;
  double loss = kAbsent;
  double gap_sliced_w2 = kAbsent;         ///< data units
  double gap_excess_relative = kAbsent;   ///< fraction of the observations' spread
  double gap_energy = kAbsent;            ///< data units
  double monitor_rmse = kAbsent;          ///< data units; only where the configuration names monitor signals
};

/// A principal direction of the learnt signals, as the channel was probed along it.
struct RecordedDirection {
  double rank = Evaluation::kAbsent;
  double spread = Evaluation::kAbsent;        ///< data units
  double condition = Evaluation::kAbsent;
  bool condition_is_bound = false;
  double spread_error = Evaluation::kAbsent;  ///< fraction of the spread
  bool data_determined = false;
};

/// What a run says of itself at its end. Figures that were not measured are NaN.
struct RecordedVerdict {
  std::string word, reason, remedy;
  double margin = Evaluation::kAbsent;  ///< fractions of the observations' spread here and below
  double gap = Evaluation::kAbsent, fit_gap = Evaluation::kAbsent, gap_error = Evaluation::kAbsent;
  double p_value = Evaluation::kAbsent, power = Evaluation::kAbsent;
  double rate = Evaluation::kAbsent, rate_low = Evaluation::kAbsent, rate_high = Evaluation::kAbsent;  ///< per outer iteration
  double remaining = Evaluation::kAbsent, ahead_high = Evaluation::kAbsent;
  std::vector<double> outer_iterations, moving, fitted;  ///< the figure of the law that moves most
  std::vector<RecordedDirection> directions;
};

/// What a run left behind.
struct RunHistory {
  std::vector<Evaluation> evaluations;     ///< in the order of steps; gaps are those of the early-stop split
  std::optional<Evaluation> test;          ///< gap on the test split, once the run is finished
  std::optional<RecordedVerdict> verdict;  ///< the last one
  std::string configuration;               ///< config.resolved.toml
  std::string provenance;                  ///< provenance.json, empty when the folder has none
};

/// Reads a run folder. A last line of metrics.jsonl that a crash cut short is left out. Throws ConfigError when `run` is no run folder,
/// DataError (file and line) when metrics.jsonl or provenance.json is damaged.
RunHistory read_run_history(const std::filesystem::path& run);

}  // namespace unchannel::report
