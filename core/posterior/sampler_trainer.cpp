#include "sampler_trainer.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/scsi/trained_model.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

constexpr double kLossHorizonSteps = 100.0;
constexpr std::int64_t kSampleRows = 2048;  ///< for normalisations

struct Observed {
  at::Tensor lifted_SD;
  Latents visible;
  at::Tensor weight_S;
};

Observed observe(const Channel& channel, const LearntSignals::Rows& rows, const Latents& bootstrapped, RandomKey key, const at::Tensor& ids_S) {
  Observed result;
  Latents used;
  const FailureWatch watch(channel);
  result.lifted_SD = simulate_with_sources(channel, rows.x_BD, rows.latents, bootstrapped, key, ids_S, &used);
  result.weight_S = watch.weight_B(ids_S.size(0));
  result.visible = visible_latents(channel, used);
  return result;
}

Normalisation normalisation_of(const at::Tensor& rows_ND) {
  const at::Tensor wide_ND = rows_ND.to(at::kDouble);
  Normalisation result;
  result.mean_D = wide_ND.mean(0).to(at::kFloat);
  result.scale = std::max(1e-12, (wide_ND - result.mean_D).square().mean().sqrt().item<double>());
  return result;
}

}  // namespace

SimulatedPairs simulate_pairs(const ConditionalModel& model, const TrainedModel& run, const Channel& channel, const LearntSignals::Rows& rows, const Latents& bootstrapped,
                              RandomKey key, const at::Tensor& ids_S) {
  const Observed seen = observe(channel, rows, bootstrapped, key, ids_S);
  const at::Tensor guide_SD = guide_signals(run, seen.lifted_SD, seen.visible);
  return {rows.x_BD, model.evidence(seen.lifted_SD, seen.visible, guide_SD), seen.weight_S, rows.training_row_B};
}

ConditionalModel make_conditional_model(const ModelSettings& settings, const TrainedModel& run, const Channel& channel, const LearntSignals& signals,
                                        RandomKey key) {
  const at::NoGradGuard no_grad;
  const LearntSignals::Rows sample = signals.sample(kSampleRows);
  const Observed seen = observe(channel, sample, sample.latents, key.derive(Purpose::kChannelProbe), at::arange(sample.x_BD.size(0), at::kLong));
  const std::vector<std::int64_t> shape = channel.signal_shape();
  const std::int64_t plane_size = shape.size() == 3 ? shape[1] * shape[2] : sample.x_BD.size(1);
  const Interpolant path(frame_path());
  std::optional<GaussianBridge> bridge;
  if (settings.space == "basis" && run.model.bridge()) bridge.emplace(run.model.bridge()->model(), path);
  DriftModel frame(settings, path, std::move(bridge), normalisation_of(sample.x_BD), ConditionEncoder::fit(seen.visible, plane_size), shape);
  const at::Tensor guide_SD = guide_signals(run, seen.lifted_SD, seen.visible);
  const at::Tensor deviation_Q = guide_deviation(frame, valid_rows(sample.x_BD, seen.weight_S), valid_rows(guide_SD, seen.weight_S));
  return ConditionalModel(std::move(frame), normalisation_of(valid_rows(seen.lifted_SD, seen.weight_S)), deviation_Q);
}

SamplerTrainer::SamplerTrainer(const TrainSettings& train, const SamplerSettings& settings, const TrainedModel& run, const Channel& channel,
                               const LearntSignals& signals, RunFolder& folder, TrainingObserver observer)
    : train_(train),
      settings_(settings),
      run_(run),
      channel_(channel),
      signals_(signals),
      folder_(folder),
      observer_(std::move(observer)),
      key_(RandomKey(static_cast<std::uint64_t>(train.run.key)).derive(Purpose::kSignalPrior)) {}

void SamplerTrainer::build(ConditionalModel model, RandomKey key) {
  const at::NoGradGuard no_grad;
  model_.emplace(std::move(model));
  student_ = model_->make_network(key);
  ema_ = model_->make_network(key);
  const LearntSignals::Rows rows = signals_.held_out();
  held_out_ = simulate_pairs(*model_, run_, channel_, rows, rows.latents, key_.derive(Purpose::kChannelEvaluation), at::arange(rows.x_BD.size(0), at::kLong));
}

void SamplerTrainer::start() {
  folder_.cut_metrics(-1);
  build(make_conditional_model(train_.model, run_, channel_, signals_, key_), key_.derive(Purpose::kModelInit));
  for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
  optimiser_ = std::make_unique<Optimiser>(train_.optimiser, *student_, *ema_);
  if (observer_.message) {
    observer_.message(fmt::format("{} learnt signals of {} elements, {} parameters", signals_.count(), held_out_->x_SD.size(1), student_->parameter_count()));
  }
  watch_ = Stopwatch();
  evaluate();
  save_checkpoint();
}

void SamplerTrainer::resume() {
  const TensorFile file = read_tensor_file(folder_.checkpoint_path());
  try {
    const nlohmann::json text = nlohmann::json::parse(file.text);
    build(ConditionalModel::load(file, train_.model), RandomKey(0));
    for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
    load_weights(file, "student.", *student_);
    load_weights(file, "ema.", *ema_);
    optimiser_ = std::make_unique<Optimiser>(train_.optimiser, *student_, *ema_);
    load_moments(file, *optimiser_);
    step_ = text.at("step");
    loss_average_ = text.at("loss_average");
    watch_ = Stopwatch(text.at("elapsed_s").get<double>());
    optimiser_->set_updates(step_);
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}.", folder_.checkpoint_path().string(), error.what()));
  } catch (const std::out_of_range&) {
    throw DataError(fmt::format("{}: a tensor is missing; it was written by another version. Train the sampler again.",
                                folder_.checkpoint_path().string()));
  }
  folder_.cut_metrics(step_);
}

void SamplerTrainer::run() {
  while (step_ < settings_.steps) advance();
}

SimulatedPairs SamplerTrainer::draw_pairs() const {
  const at::NoGradGuard no_grad;
  const auto id = static_cast<std::uint64_t>(step_);
  const RandomKey pool_key = key_.derive(Purpose::kPool);
  const LearntSignals::Rows rows = signals_.rows(draw_indices(pool_key, id, 1, settings_.batch, signals_.count()));
  const Latents bootstrapped =
      rows.latents.empty() ? Latents{} : signals_.rows(draw_indices(pool_key, id, 2, settings_.batch, signals_.count())).latents;
  const at::Tensor ids_S = at::arange(step_ * settings_.batch, (step_ + 1) * settings_.batch, at::kLong);
  return simulate_pairs(*model_, run_, channel_, rows, bootstrapped, key_.derive(Purpose::kChannelTraining), ids_S);
}

at::Tensor SamplerTrainer::loss_of(Network& network, const SimulatedPairs& pairs, std::int64_t resamples, RandomKey key, std::int64_t step,
                                   bool training) const {
  const std::int64_t rows = pairs.x_SD.size(0) * resamples;
  const at::Tensor row_B = at::arange(rows, at::kLong), ids_B = row_B + step * rows;
  const at::Tensor pair_B = row_B.remainder(pairs.x_SD.size(0));
  const Evidence evidence = pairs.evidence.rows(pair_B);
  // One time from each of B strata: every pair meets its resamples at different times.
  at::Tensor t_B = at::empty({rows}, at::kFloat);
  key.derive(Purpose::kInterpolantTime).uniform(static_cast<std::uint64_t>(step), 0, static_cast<std::uint32_t>(rows), t_B.data_ptr<float>());
  t_B.add_(row_B).div_(static_cast<double>(rows));
  const at::Tensor angle_B1 = (t_B * M_PI_2).unsqueeze(1);
  at::Tensor place_BQ, target_BQ;
  {
    const at::NoGradGuard no_grad;
    const at::Tensor offset_BQ = model_->offsets(pairs.x_SD.index_select(0, pair_B), evidence);
    const at::Tensor base_BQ = model_->base(evidence, key.derive(Purpose::kInterpolantNoise), ids_B);
    place_BQ = angle_B1.cos() * offset_BQ + angle_B1.sin() * base_BQ;
    target_BQ = angle_B1.cos() * base_BQ - angle_B1.sin() * offset_BQ;
  }
  ConditionalModel::Pass pass;
  pass.training = training;
  pass.dropout_key = key.derive(Purpose::kDropout).derive(static_cast<std::uint64_t>(step));
  pass.ids_B = row_B;
  if (const at::Tensor learner_S = learners_of(pairs.training_row_S, step, model_->settings()); training && learner_S.defined()) {
    pass.member_B = learner_S.index_select(0, pair_B);
  }
  const at::Tensor weight_B = pairs.weight_S.defined() ? pairs.weight_S.index_select(0, pair_B) : at::Tensor();
  return model_->loss(model_->velocity(network, t_B, place_BQ, evidence, pass), target_BQ, weight_B);
}

void SamplerTrainer::advance() {
  if (const int signal = observer_.stop_requested ? observer_.stop_requested() : 0; signal != 0) {
    save_checkpoint();
    throw InterruptedError(fmt::format("stopped by signal {} at step {}; a checkpoint is written, continue with --resume.", signal, step_), signal);
  }
  const at::Tensor loss = loss_of(*student_, draw_pairs(), settings_.resamples, key_, step_, true);
  const double value = loss.item<double>();
  check<NumericalError>(std::isfinite(value),
                        "step {}: the loss is not finite. The last checkpoint is intact; lower optimiser.learning_rate in a new fit.", step_);
  loss.backward();
  optimiser_->step(step_, settings_.steps);
  loss_average_ = step_ == 0 ? value : loss_average_ + (value - loss_average_) / std::min(kLossHorizonSteps, static_cast<double>(step_ + 1));
  ++step_;
  if (observer_.progress) observer_.progress(step_, settings_.steps, fmt::format("loss {:.4f}", loss_average_));
  const bool last = step_ == settings_.steps;
  if (step_ % train_.run.evaluate_every == 0 || last) evaluate();
  if (step_ % train_.run.checkpoint_every == 0 || last) save_checkpoint();
}

void SamplerTrainer::evaluate() {
  const at::NoGradGuard no_grad;
  // The same rows, times and random numbers every time: differences between two evaluations are the network's alone.
  const double held_out = loss_of(*ema_, *held_out_, 1, key_.derive(Purpose::kMetric), 0, false).item<double>();
  folder_.append_metrics({{"step", step_}, {"elapsed_s", watch_.elapsed_s()}, {"loss", loss_average_}, {"held_out_loss", held_out}});
}

void SamplerTrainer::save_checkpoint() const {
  TensorFile file;
  file.text = nlohmann::json({{"step", step_}, {"loss_average", loss_average_}, {"elapsed_s", watch_.elapsed_s()}}).dump();
  model_->store(file);
  store_weights(*student_, "student.", file);
  store_weights(*ema_, "ema.", file);
  store_moments(*optimiser_, file);
  write_tensor_file(folder_.checkpoint_path(), file);
}

}  // namespace unchannel
