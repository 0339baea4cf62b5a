#include "cost_estimate.hpp"

#include <algorithm>

namespace unchannel {
namespace {

/// Multiples of `every` in [first, end).
std::int64_t multiples(std::int64_t every, std::int64_t first, std::int64_t end) {
  const auto below = [every](std::int64_t bound) { return bound <= 0 ? 0 : (bound - 1) / every + 1; };
  return std::max<std::int64_t>(0, below(end) - below(first));
}

}  // namespace

std::int64_t calls_per_refresh(const TrainSettings& settings, std::int64_t rows) {
  return settings.transport.in_training().drift_calls() * rows / (settings.scsi.batch * settings.scsi.resamples);
}

CostEstimate estimate_cost(const TrainSettings& settings, const TrialResult& trial) {
  const ScsiSettings& scsi = settings.scsi;
  const DataSettings& data = settings.data;
  const std::int64_t pool = std::min(scsi.pool, trial.training_rows), rows = std::min(scsi.refresh_rows, pool);
  CostEstimate cost;
  cost.refreshes = scsi.refresh_every > 0 ? multiples(scsi.refresh_every, scsi.first_refresh, scsi.steps) : 0;
  cost.network_calls = kCallsPerStep * scsi.steps + cost.refreshes * calls_per_refresh(settings, rows);
  const double transport_row_s = trial.transport_row_s * static_cast<double>(settings.transport.in_training().drift_calls());
  // A restoration averages all members of a committee; in training each row is transported by one.
  const double restore_row_s =
      trial.transport_row_s * static_cast<double>(settings.transport.in_restoration().drift_calls() * settings.model.members);
  const double observe_row_s = data.signals.empty() ? 0.0 : trial.channel_sample_s;
  cost.refresh_s = static_cast<double>(rows) * (transport_row_s + observe_row_s);
  cost.pool_s = static_cast<double>(pool) * ((settings.start.kind == "linear" ? transport_row_s : 0.0) + observe_row_s);
  const std::int64_t monitored = data.monitor_observations.empty() ? 0 : data.monitor_rows;
  cost.evaluation_s = restore_row_s * static_cast<double>(data.early_stop_rows / 2 + monitored);
  const bool last_step_is_extra = scsi.steps % settings.run.evaluate_every != 0;
  cost.evaluations = 1 + scsi.steps / settings.run.evaluate_every + (last_step_is_extra ? 1 : 0);
  cost.total_s = trial.start_s + cost.pool_s + static_cast<double>(scsi.steps) * trial.step_s + static_cast<double>(cost.refreshes) * cost.refresh_s +
                 static_cast<double>(cost.evaluations) * cost.evaluation_s + restore_row_s * static_cast<double>(data.test_rows / 2);
  return cost;
}

}  // namespace unchannel
