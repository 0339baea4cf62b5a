#include "training_figures.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/metrics/evaluation.hpp>

#include "cost_estimate.hpp"
#include "training_batch.hpp"

namespace unchannel {
namespace {

ObservationBatch rows_between(const ObservationBatch& rows, std::int64_t begin, std::int64_t end) {
  ObservationBatch part;
  part.rows.assign(rows.rows.begin() + begin, rows.rows.begin() + end);
  part.raw_BM = rows.raw_BM.slice(0, begin, end);
  part.lifted_BD = rows.lifted_BD.slice(0, begin, end);
  if (rows.weight_B.defined()) part.weight_B = rows.weight_B.slice(0, begin, end);
  for (const auto& [name, values] : rows.latents) part.latents.emplace(name, values.slice(0, begin, end));
  return part;
}

std::vector<double> numbers(const at::Tensor& values_Q) {
  const at::Tensor flat_Q = values_Q.contiguous();
  return {flat_Q.const_data_ptr<double>(), flat_Q.const_data_ptr<double>() + flat_Q.numel()};
}

}  // namespace

double TrainingFigures::Residuals::excess() const { return held_out_rms > 0.0 ? held_out_rms / std::max(1e-300, training_rows_rms) - 1.0 : 0.0; }

TrainingFigures::TrainingFigures(const TrainSettings& settings, const Channel& channel, const Observations& observations)
    : channel_(channel),
      how_(settings.transport.in_restoration()),
      key_(static_cast<std::uint64_t>(settings.run.key)),
      early_stop_(observations.early_stop()),
      seen_rows_(observations.training_sample(std::min(kComparedRows, settings.data.early_stop_rows))),
      coordinates_(valid_rows(early_stop_.lifted_BD, early_stop_.weight_B), kLawCoordinates) {
  if (!settings.data.monitor_observations.empty()) read_monitor(settings.data);
}

void TrainingFigures::read_monitor(const DataSettings& data) {
  const DatasetReader observed(data.monitor_observations, DatasetKind::observations);
  const DatasetReader signals(data.monitor_signals, DatasetKind::signals);
  check<ShapeError>(observed.rows() == signals.rows(), "{} has {} rows and {} has {}; they must be pairs.", data.monitor_signals, signals.rows(),
                    data.monitor_observations, observed.rows());
  check_row_size(observed, channel_);
  check_row_size(signals, channel_);
  const auto rows = row_range(0, std::min<std::uint64_t>(observed.rows(), static_cast<std::uint64_t>(data.monitor_rows)));
  monitor_observations_ = read_rows(observed, rows);
  monitor_signals_ = read_rows(signals, rows);
  for (const LatentSpec& spec : channel_.latents()) {
    if (!spec.visible) continue;
    monitor_latents_.emplace(spec.name, latent_tensor(observed.read_latent(spec.name, rows), static_cast<std::int64_t>(rows.size()), spec));
  }
  monitor_observations_ = channel_.lift(monitor_observations_, monitor_latents_);
  if (data.monitor_reference.empty()) return;
  const DatasetReader reference(data.monitor_reference, DatasetKind::signals);
  check_row_size(reference, channel_);
  monitor_reference_ = read_rows(reference, row_range(0, reference.rows()));
}

TrainingFigures::Halves TrainingFigures::simulate_first_half(const DriftModel& model, Network& network, const ObservationBatch& rows) const {
  const at::NoGradGuard no_grad;
  const std::int64_t size = rows.lifted_BD.size(0);
  const ObservationBatch a = rows_between(rows, 0, size / 2), b = rows_between(rows, size / 2, size);
  const RandomKey key = key_.derive(Purpose::kChannelEvaluation);
  const at::Tensor ids = a.row_numbers();
  const at::Tensor restored =
      model.transport(network, a.lifted_BD, visible_latents(channel_, a.latents), how_, key.derive(Purpose::kTransportNoise), ids);
  const FailureWatch watch(channel_);
  const at::Tensor simulated = simulate_with_sources(channel_, restored, a.latents, a.latents, key, ids, nullptr);
  const at::Tensor weight_B = both_weights(a.weight_B, watch.weight_B(simulated.size(0)));
  return {valid_rows(simulated, weight_B), valid_rows(a.lifted_BD, weight_B), valid_rows(b.lifted_BD, b.weight_B)};
}

metrics::GapResult TrainingFigures::gap(const DriftModel& model, Network& network, const ObservationBatch& rows) const {
  return simulate_first_half(model, network, rows).gap();
}

TrainingFigures::Consistency TrainingFigures::consistency(const DriftModel& model, Network& network) const {
  const Halves halves = simulate_first_half(model, network, early_stop_);
  const at::Tensor simulated_AQ = coordinates_(halves.simulated_AD), others_BQ = coordinates_(halves.others_BD);
  return {halves.gap(), numbers(simulated_AQ.mean(0) - others_BQ.mean(0)), numbers(simulated_AQ.std(0) - others_BQ.std(0))};
}

double TrainingFigures::residual_rms(const DriftModel& model, Network& network, const ObservationBatch& rows) const {
  const at::NoGradGuard no_grad;
  const at::Tensor restored =
      model.transport(network, rows.lifted_BD, visible_latents(channel_, rows.latents), how_, key_.derive(Purpose::kMetric), rows.row_numbers());
  return valid_rows(rows.lifted_BD - restored, rows.weight_B).to(at::kDouble).square().mean().sqrt().item<double>();
}

TrainingFigures::Residuals TrainingFigures::residuals(const DriftModel& model, Network& network) const {
  const std::int64_t count = std::min(kComparedRows, early_stop_.lifted_BD.size(0));
  return {residual_rms(model, network, rows_between(early_stop_, 0, count)), residual_rms(model, network, seen_rows_)};
}

std::optional<TrainingFigures::Monitored> TrainingFigures::monitor(const DriftModel& model, Network& network) const {
  if (!monitor_signals_.defined()) return std::nullopt;
  const at::NoGradGuard no_grad;
  const at::Tensor ids = at::arange(monitor_observations_.size(0), at::kLong);
  const at::Tensor restored = model.transport(network, monitor_observations_, monitor_latents_, how_, key_.derive(Purpose::kMetric), ids);
  Monitored result;
  result.rmse = (restored - monitor_signals_).square().mean().sqrt().item<double>();
  if (monitor_reference_.defined()) result.excess_sliced_w2 = metrics::excess_against(monitor_reference_, restored).excess;
  return result;
}

}  // namespace unchannel
