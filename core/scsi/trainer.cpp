#include "trainer.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/distributed/agreement.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/measurement/least_squares.hpp>

#include "cost_estimate.hpp"
#include "outer_iterations.hpp"
#include "start_run.hpp"
#include "trained_model.hpp"

namespace unchannel {
namespace {

constexpr double kLossHorizonSteps = 100.0;

}  // namespace

Trainer::Trainer(const TrainSettings& settings, const Channel& channel, RunFolder& folder, TrainingObserver observer, Ranks& ranks)
    : settings_(settings),
      channel_(channel),
      folder_(folder),
      observer_(std::move(observer)),
      ranks_(ranks),
      key_(RandomKey(static_cast<std::uint64_t>(settings.run.key))),
      observations_(settings.data, channel, key_),
      figures_(settings, channel, observations_),
      pool_(std::min(settings.scsi.pool, observations_.training_rows())) {
  settings_.check_consistency();
  ranks_.set_time_limit(settings_.run.rank_timeout_s);
  if (!settings_.data.clean_signals.empty()) clean_signals_.emplace(settings_.data, channel_);
}

Trainer::~Trainer() = default;

void Trainer::say(const std::string& text) const {
  if (observer_.message) observer_.message(text);
}

void Trainer::build_model(std::optional<GaussianBridge> bridge) {
  const ObservationBatch& sample = figures_.early_stop();
  const at::Tensor wide = valid_rows(sample.lifted_BD, sample.weight_B).to(at::kDouble);
  Normalisation normalisation;
  normalisation.mean_D = bridge ? bridge->model().mean_D : wide.mean(0).to(at::kFloat);
  normalisation.scale = std::max(1e-12, (wide - normalisation.mean_D).square().mean().sqrt().item<double>());
  const std::vector<std::int64_t> shape = channel_.signal_shape();
  const std::int64_t plane_size = shape.size() == 3 ? shape[1] * shape[2] : observations_.signal_size();
  const ConditionEncoder encoder = ConditionEncoder::fit(visible_latents(channel_, sample.latents), plane_size);
  model_.emplace(settings_.model, Interpolant(settings_.interpolant), std::move(bridge), normalisation, encoder, shape);
}

std::optional<GaussianBridge> Trainer::fit_start() {
  const StartSettings& start = settings_.start;
  if (start.kind != "linear" && settings_.model.space != "basis") return std::nullopt;
  say(fmt::format("fitting the linear start: {} components, {} rounds of {} runs of the channel", start.components, start.rounds, start.probes));
  const auto progress = [&](std::int64_t round) {
    if (observer_.progress) observer_.progress(round, start.rounds, "linear start");
    stop_start_if_requested();
  };
  const RandomKey key = key_.derive(Purpose::kStart);
  // A latent that says at each place what happened there is worth more than the closed form, which would have to average over it.
  if (settings_.model.space == "elements" && LatentGaussian::usable_latent(observations_, channel_)) {
    latent_start_ = LatentGaussian::fit(observations_, channel_, start, key, progress);
    return std::nullopt;
  }
  return GaussianBridge(GaussianFit::fit(observations_, channel_, start, key, progress).model(), Interpolant(settings_.interpolant));
}

void Trainer::build_networks() {
  if (settings_.start.kind != "run") {
    build_model(fit_start());
    student_ = model_->make_network(key_.derive(Purpose::kModelInit));
    ema_ = model_->make_network(key_.derive(Purpose::kModelInit));
    return;
  }
  StartRun start = open_start_run(settings_, channel_);
  say(fmt::format("starting from {} at step {}", settings_.start.run, start.trained.step));
  model_.emplace(std::move(start.trained.model));
  latent_start_ = std::move(start.trained.latent_start);
  start_run_restoration_ = start.restoration;
  ema_ = std::move(start.trained.network);
  student_ = model_->make_network(RandomKey(0));
  copy_parameters(*ema_, *student_);
}

void Trainer::start() {
  together(ranks_, [&] {
    if (ranks_.first()) start_here();
  });
  share_checkpoint();
  together(ranks_, [&] {
    if (!ranks_.first()) resume_here();
  });
}

void Trainer::start_here() {
  watch_ = Stopwatch();
  folder_.cut_metrics(-1);  // of a start that failed before its first checkpoint
  build_networks();
  for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
  optimiser_ = std::make_unique<Optimiser>(settings_.optimiser, *student_, *ema_);
  begin_steps();
  fill_pool();
  say(fmt::format("{} training observations of {} elements, {} parameters", observations_.training_rows(), observations_.signal_size(),
                  student_->parameter_count()));
  measure();
  write_checkpoint();
}

void Trainer::begin_steps() {
  batcher_.emplace(settings_.scsi, channel_, *model_, key_, clean_signals_ ? &*clean_signals_ : nullptr, RankShare{ranks_.rank(), ranks_.size()});
  if (!ranks_.alone()) gradient_sum_.emplace(*student_);
}

void Trainer::stop_start_if_requested() const {
  const int signal = stop_signal();
  if (signal == 0) return;
  throw InterruptedError(
      fmt::format("stopped by signal {} before the first step; there is no checkpoint yet, the same command starts anew.", signal), signal);
}

at::Tensor Trainer::start_signals(const ObservationBatch& batch) {
  if (settings_.start.kind == "observation") return batch.lifted_BD;
  if (settings_.start.kind == "pseudo_inverse") return least_squares(channel_, batch.latents, batch.raw_BM, settings_.start.iterations);
  const RandomKey key = key_.derive(Purpose::kStart).derive(Purpose::kTransportNoise);
  if (start_run_restoration_) {
    return model_->transport(*ema_, batch.lifted_BD, visible_latents(channel_, batch.latents), *start_run_restoration_, key, batch.row_numbers(),
                             transporters_of(batch.row_numbers(), settings_.model));
  }
  if (latent_start_) return latent_start_->posterior_draw(batch.lifted_BD, batch.latents, key, batch.row_numbers());
  if (settings_.start.kind == "linear") {
    // The network is still zero, so this is the exact transport of the fitted Gaussian: it preserves the spread.
    return model_->transport(*ema_, batch.lifted_BD, visible_latents(channel_, batch.latents), settings_.transport.in_training(0.0),
                             key, batch.row_numbers());
  }
  if (settings_.start.kind == "truth") return read_rows(observations_.reader(), batch.rows);
  const DatasetReader reader(settings_.start.file, DatasetKind::signals);
  check<ShapeError>(reader.rows() == observations_.reader().rows(),
                    "start.file {} has {} rows; the observations have {}, and row i must "
                    "belong to row i.",
                    settings_.start.file, reader.rows(), observations_.reader().rows());
  check_row_size(reader, channel_);
  return read_rows(reader, batch.rows);
}

void Trainer::fill_pool() {
  const at::NoGradGuard no_grad;
  constexpr std::int64_t kBlock = 2048;
  for (std::int64_t done = 0; done < pool_.capacity(); done += kBlock) {
    stop_start_if_requested();
    const ObservationBatch batch = observations_.next(std::min(kBlock, pool_.capacity() - done));
    pool_.add(batch, model_->within_range(start_signals(batch)));
  }
}

void Trainer::run() {
  try {
    while (step_ < settings_.scsi.steps && !stopped_early()) advance();
    if (stopped_early()) {
      say(fmt::format("stopped early at step {}: restorations change held-out observations by more than {:g} more than training rows", step_,
                      settings_.scsi.early_stop));
      save_checkpoint();
    }
    together(ranks_, [&] {
      if (ranks_.first()) write_final_figures();
    });
  } catch (const PluginError& error) {
    save_checkpoint();
    throw PluginError(fmt::format("{} A checkpoint of step {} is written; repair the channel and continue with --resume.", error.what(), step_));
  }
}

void Trainer::advance() {
  if (const int signal = ranks_.alone() ? stop_signal() : agreed_signal_; signal != 0) {
    save_checkpoint();
    throw InterruptedError(
        fmt::format("stopped by signal {} at step {}; a checkpoint is written, continue with --resume.", signal, step_), signal);
  }
  const ScsiSettings& scsi = settings_.scsi;
  const Stopwatch work;
  const double waited_before_s = ranks_.waited_s();
  // A step that failed after its refresh must not refresh again when it is resumed.
  if (scsi.refresh_every > 0 && step_ >= scsi.first_refresh && step_ % scsi.refresh_every == 0 && refreshed_at_ != step_) refresh_pool();
  const double loss = train_step();
  working_s_ += work.elapsed_s();
  waiting_s_ += ranks_.waited_s() - waited_before_s;
  check<NumericalError>(std::isfinite(loss),
                        "step {}: the loss is not finite. The last checkpoint is intact; lower "
                        "optimiser.learning_rate or use model.precision = \"float32\", then --resume.",
                        step_);
  loss_average_ =
      step_ == 0 ? loss : loss_average_ + (loss - loss_average_) / std::min(kLossHorizonSteps, static_cast<double>(step_ + 1));
  ++step_;
  network_calls_ += kCallsPerStep;
  if (observer_.progress) observer_.progress(step_, scsi.steps, fmt::format("loss {:.4f}{}", loss_average_, note_));
  if (step_ % settings_.run.evaluate_every == 0 || step_ == scsi.steps) evaluate();
  if (step_ % settings_.run.checkpoint_every == 0 || step_ == scsi.steps) save_checkpoint();
}

double Trainer::train_step() {
  double loss = 0.0;
  agreed_signal_ = together(ranks_, [&] { loss = backward_pass(); }, stop_signal());
  if (gradient_sum_) loss = gradient_sum_->over(ranks_, loss);
  if (std::isfinite(loss)) optimiser_->step(step_, settings_.scsi.steps);
  return loss;
}

double Trainer::backward_pass() {
  TrainingBatch batch;
  at::Tensor target_GNQ;
  {
    const at::NoGradGuard no_grad;
    batch = batcher_->draw(pool_, step_);
    target_GNQ = model_->encode(batch.signal_GND);
  }
  const DriftModel::Prediction prediction = model_->predict(*student_, batch.level_G, batch.interpolated_GND, batch.context);
  at::Tensor noise_GNQ = batch.noise_GND;
  if (noise_GNQ.defined() && model_->settings().space == "basis") noise_GNQ = noise_GNQ.matmul(model_->bridge()->model().basis_DR);
  at::Tensor loss = model_->loss(prediction, batch.level_G, target_GNQ, noise_GNQ, batch.weight_GN);
  if (!ranks_.alone()) loss = loss * batch.share;
  const double value = loss.item<double>();
  if (std::isfinite(value)) loss.backward();
  return value;
}

void Trainer::refresh_pool() {
  const std::int64_t rows = std::min(settings_.scsi.refresh_rows, pool_.capacity());
  const double progress = static_cast<double>(step_) / static_cast<double>(settings_.scsi.steps);
  const Integration how = settings_.transport.in_training(progress);
  const StreamPosition before = observations_.position();
  const auto [begin, end] = refresh_share(rows);
  ObservationBatch batch;
  at::Tensor signals;
  try {
    together(ranks_, [&, begin = begin, end = end] {
      batch = observations_.next(rows, begin, end);
      signals = model_->transport(teacher(), batch.lifted_BD, visible_latents(channel_, batch.latents), how, key_.derive(Purpose::kTransportNoise),
                                  at::arange(step_ * rows + begin, step_ * rows + end, at::kLong), transporters_of(batch.row_numbers(), settings_.model));
    });
  } catch (const PluginError&) {  // in lift; the checkpoint of this step must read the same rows again
    observations_.restore(before);
    throw;
  }
  if (end - begin < rows) {
    signals = gathered(signals, rows);
    batch = gathered(batch, rows);
  }
  const double omega = settings_.scsi.over_relaxation;
  pool_.add(batch, omega > 0.0 ? model_->within_range(pool_.over_relaxed(batch, signals, omega)) : signals);
  refreshed_at_ = step_;
  network_calls_ += calls_per_refresh(settings_, rows, progress);
}

void Trainer::evaluate() {
  waiting_fraction_ = waiting_fraction();
  together(ranks_, [&] {
    if (ranks_.first()) measure();
  });
  // The first rank alone has measured; all of them stop early together.
  std::int64_t memorised = ranks_.first() ? memorised_evaluations_ : 0;
  ranks_.sum(std::span(&memorised, 1));
  memorised_evaluations_ = memorised;
}

void Trainer::measure() {
  const TrainingFigures::Consistency consistency = figures_.consistency(*model_, *ema_);
  const metrics::GapResult& gap = consistency.gap;
  const TrainingFigures::Residuals residuals = figures_.residuals(*model_, *ema_);
  nlohmann::json line = {{"step", step_},
                         {"elapsed_s", watch_.elapsed_s()},
                         {"network_calls", network_calls_},
                         {"outer_iterations", outer_iterations(settings_.scsi, pool_.capacity(), step_)},
                         {"loss", loss_average_},
                         {"learning_rate", learning_rate_at(settings_.optimiser, step_, settings_.scsi.steps)},
                         {"gap_sliced_w2", gap.sliced_w2},
                         {"gap_excess_relative", gap.relative},
                         {"gap_energy", gap.energy},
                         {"law_mean_gap", consistency.mean_gap},
                         {"law_spread_gap", consistency.spread_gap},
                         {"held_out_residual_rms", residuals.held_out_rms},
                         {"training_rows_residual_rms", residuals.training_rows_rms}};
  if (!ranks_.alone()) {
    line["ranks"] = ranks_.size();
    line["waiting_fraction"] = waiting_fraction_;
  }
  const double limit = settings_.scsi.early_stop;
  memorised_evaluations_ = limit > 0.0 && residuals.excess() > limit ? memorised_evaluations_ + 1 : 0;
  note_ = fmt::format(", gap {:.4f}", gap.relative);
  if (const auto monitored = figures_.monitor(*model_, *ema_)) {
    line["monitor_rmse"] = monitored->rmse;
    note_ += fmt::format(", rmse {:.4f}", monitored->rmse);
    if (monitored->excess_sliced_w2) {
      line["monitor_excess_sliced_w2"] = *monitored->excess_sliced_w2;
      note_ += fmt::format(", excess SW2 {:.4f}", *monitored->excess_sliced_w2);
    }
  }
  folder_.append_metrics(line);
}

void Trainer::write_final_figures() {
  // These observations are used once: a resume of a finished run measures nothing again.
  if (folder_.holds_test_figures(step_)) return say(fmt::format("finished {} steps before; nothing is left to do", step_));
  const metrics::GapResult gap = figures_.gap(*model_, *ema_, observations_.test());
  folder_.append_metrics({{"step", step_},
                          {"split", "test"},
                          {"gap_sliced_w2", gap.sliced_w2},
                          {"gap_excess_relative", gap.relative},
                          {"gap_energy", gap.energy}});
  say(fmt::format("finished {} steps; consistency gap on the test observations: {:.4f} of their spread", step_, gap.relative));
}

}  // namespace unchannel
