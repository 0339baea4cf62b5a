#include "cost_estimate.hpp"

#include <algorithm>
#include <cmath>

#include "outer_iterations.hpp"

namespace unchannel {
std::int64_t calls_per_refresh(const TrainSettings& settings, std::int64_t rows, double progress) {
  return settings.transport.in_training(progress).drift_calls() * rows / (settings.scsi.batch * settings.scsi.resamples);
}

CostEstimate estimate_cost(const TrainSettings& settings, const TrialResult& trial) {
  const ScsiSettings& scsi = settings.scsi;
  const DataSettings& data = settings.data;
  const std::int64_t pool = std::min(scsi.pool, trial.training_rows), rows = std::min(scsi.refresh_rows, pool);
  CostEstimate cost;
  // The first refreshes may be coarse: step / steps < coarse_share, as the trainer counts.
  const auto coarse_end = static_cast<std::int64_t>(std::ceil(settings.transport.coarse_share * static_cast<double>(scsi.steps)));
  const std::int64_t middle = std::clamp(coarse_end, scsi.first_refresh, std::max(scsi.first_refresh, scsi.steps));
  const std::int64_t coarse = refreshes_between(scsi, 0, middle);
  const std::int64_t fine = refreshes_between(scsi, middle, scsi.steps);
  cost.refreshes = coarse + fine;
  cost.network_calls = kCallsPerStep * scsi.steps + coarse * calls_per_refresh(settings, rows, 0.0) + fine * calls_per_refresh(settings, rows, 1.0);
  const double observe_row_s = data.signals.empty() ? 0.0 : trial.channel_sample_s;
  const auto row_s = [&](double progress) {
    return trial.transport_row_s * static_cast<double>(settings.transport.in_training(progress).drift_calls());
  };
  const double coarse_s = static_cast<double>(rows) * (row_s(0.0) + observe_row_s);
  // A restoration averages all members of a committee; in training each row is transported by one.
  const double restore_row_s =
      trial.transport_row_s * static_cast<double>(settings.transport.in_restoration().drift_calls() * settings.model.members);
  cost.refresh_s = static_cast<double>(rows) * (row_s(1.0) + observe_row_s);
  const double start_row_s = settings.start.kind == "linear" ? row_s(0.0) : settings.start.kind == "run" ? restore_row_s : 0.0;
  cost.pool_s = static_cast<double>(pool) * (start_row_s + observe_row_s);
  const std::int64_t monitored = data.monitor_observations.empty() ? 0 : data.monitor_rows;
  cost.evaluation_s = restore_row_s * static_cast<double>(data.early_stop_rows / 2 + 2 * std::min(kComparedRows, data.early_stop_rows) + monitored);
  const bool last_step_is_extra = scsi.steps % settings.run.evaluate_every != 0;
  cost.evaluations = 1 + scsi.steps / settings.run.evaluate_every + (last_step_is_extra ? 1 : 0);
  const std::int64_t judged = std::min(kVerdictRows, trial.training_rows) + std::min(kProbedRows, trial.training_rows) +
                              (settings.verdict.replicas + 1) * (data.early_stop_rows + data.test_rows);
  if (settings.verdict.replicas > 0) cost.verdict_s = restore_row_s * static_cast<double>(judged);
  const double refreshes_s = static_cast<double>(coarse) * coarse_s + static_cast<double>(fine) * cost.refresh_s;
  cost.total_s = trial.start_s + cost.pool_s + static_cast<double>(scsi.steps) * trial.step_s + refreshes_s +
                 static_cast<double>(cost.evaluations) * cost.evaluation_s + restore_row_s * static_cast<double>(data.test_rows / 2) + cost.verdict_s;
  return cost;
}

}  // namespace unchannel
