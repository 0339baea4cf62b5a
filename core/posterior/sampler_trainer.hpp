#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include <unchannel/base/stopwatch.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "conditional_model.hpp"
#include "learnt_signals.hpp"
#include "settings.hpp"
#include "trained_sampler.hpp"

// Shape legend: S simulated pairs · B = S · resamples network rows · D data dimension · Q coordinates
namespace unchannel {

/// Simulated pairs of learnt signals, as the sampler sees them.
struct SimulatedPairs {
  at::Tensor x_SD;
  Evidence evidence;
  at::Tensor weight_S;        ///< 0 where the channel failed; undefined when it never did
  at::Tensor training_row_S;
};

/// F(x) of `rows` with fresh latents, latents of the data taken from `bootstrapped`, lifted and seen by `run` and `model`. Row i is a function of key and
/// ids[i].
SimulatedPairs simulate_pairs(const ConditionalModel& model, const TrainedModel& run, const Channel& channel, const LearntSignals::Rows& rows, const Latents& bootstrapped,
                              RandomKey key, const at::Tensor& ids_S);

/// The fixed parts of a sampler: normalisations, encodings and deviations from simulated pairs, the Gaussian (if it has one) from the run.
ConditionalModel make_conditional_model(const ModelSettings& settings, const TrainedModel& run, const Channel& channel, const LearntSignals& signals,
                                        RandomKey key);

/// Fits a conditional model to pairs (x, F(x)) with fresh simulations in every step. State lives in the folder's checkpoint; a resumed fit is
/// bit-identical to an uninterrupted one on the same kind of CPU with the same number of threads.
class SamplerTrainer {
 public:
  /// `run`, `channel`, `signals` and `folder` must outlive the trainer.
  SamplerTrainer(const TrainSettings& train, const SamplerSettings& settings, const TrainedModel& run, const Channel& channel, const LearntSignals& signals, RunFolder& folder,
                 TrainingObserver observer);

  void start();
  /// Throws DataError (damaged checkpoint, other configuration).
  void resume();
  /// Throws InterruptedError after a checkpoint when a stop was requested, NumericalError when the loss is not finite.
  void run();

  std::int64_t step() const { return step_; }

 private:
  void build(ConditionalModel model, RandomKey key);
  SimulatedPairs draw_pairs() const;
  at::Tensor loss_of(Network& network, const SimulatedPairs& pairs, std::int64_t resamples, RandomKey key, std::int64_t step, bool training) const;
  void advance();
  void evaluate();
  void save_checkpoint() const;

  TrainSettings train_;
  SamplerSettings settings_;
  const TrainedModel& run_;
  const Channel& channel_;
  const LearntSignals& signals_;
  RunFolder& folder_;
  TrainingObserver observer_;
  RandomKey key_;
  std::optional<ConditionalModel> model_;
  std::unique_ptr<Network> student_, ema_;
  std::unique_ptr<Optimiser> optimiser_;
  std::optional<SimulatedPairs> held_out_;
  std::int64_t step_ = 0;
  double loss_average_ = 0.0;
  Stopwatch watch_;
};

}  // namespace unchannel
