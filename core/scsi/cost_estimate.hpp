#pragma once

#include <cstdint>

#include "settings.hpp"
#include "trial.hpp"

namespace unchannel {

/// The whole training from what a trial measured. Times leave out writing checkpoints.
struct CostEstimate {
  std::int64_t refreshes = 0;
  std::int64_t evaluations = 0;    ///< on the early-stop split and the monitored signals; the test split comes once more
  std::int64_t network_calls = 0;  ///< as metrics.jsonl counts them: scsi.batch · scsi.resamples rows, a backward pass two
  double refresh_s = 0.0;          ///< one refresh
  double pool_s = 0.0;             ///< filling the pool
  double evaluation_s = 0.0;       ///< one evaluation
  double verdict_s = 0.0;          ///< the verdict at the end, where there are enough evaluations for one
  double total_s = 0.0;
};

CostEstimate estimate_cost(const TrainSettings& settings, const TrialResult& trial);

/// Held-out and training rows whose residuals each evaluation compares: a transport of each is what they cost.
constexpr std::int64_t kComparedRows = 256;

/// Training rows that the verdict restores: to choose where it looks, and to probe the channel.
constexpr std::int64_t kVerdictRows = 4096, kProbedRows = 2048;

/// Network calls of one inner step, and of one refresh of `rows` signals.
constexpr std::int64_t kCallsPerStep = 3;  // a backward pass costs two forward passes
/// `progress`: share of the training that is done.
std::int64_t calls_per_refresh(const TrainSettings& settings, std::int64_t rows, double progress);

}  // namespace unchannel
