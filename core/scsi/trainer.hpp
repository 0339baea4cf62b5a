#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <utility>

#include <unchannel/base/stopwatch.hpp>
#include <unchannel/distributed/ranks.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "clean_signals.hpp"
#include "gaussian_fit.hpp"
#include "gradient_sum.hpp"
#include "latent_gaussian.hpp"
#include "observations.hpp"
#include "pool.hpp"
#include "settings.hpp"
#include "training_batch.hpp"
#include "training_figures.hpp"

namespace unchannel {

/// What a training tells whoever watches it. Every member may be empty.
struct TrainingObserver {
  std::function<void(const std::string&)> message;
  std::function<void(std::int64_t step, std::int64_t total, const std::string& note)> progress;
  /// Number of the signal that asks for a stop, 0 for none; polled every step and in the start.
  std::function<int()> stop_requested;
};

/// The self-consistent iteration [SCSI, Algorithm 2] with a pool: fit the drift on pairs (x, F(x)) of pooled signals; every
/// `refresh_every` steps the teacher transports `refresh_rows` observations anew into the pool.
/// State lives in the run folder's checkpoint; a resumed run is bit-identical to an uninterrupted one on the same kind of CPU
/// with the same number of threads and ranks.
/// Several ranks share every step and every refresh; each has the whole pool. The first one fits the start, evaluates and writes its folder; that
/// of another rank is private and holds what it was told. A failure or a stop on one rank ends all of them at the same step.
class Trainer {
 public:
  Trainer(const TrainSettings& settings, const Channel& channel, RunFolder& folder, TrainingObserver observer, Ranks& ranks = single_rank());
  ~Trainer();

  /// Fits the start, builds the model and the first pool. Throws InterruptedError, without a checkpoint, when a stop was requested
  /// meanwhile: polled in every round of the linear start and every 2,048 rows of the pool.
  void start();
  /// Takes everything from the last checkpoint, which the first rank has. Throws DataError (no or damaged checkpoint, other configuration).
  void resume();
  /// Trains to settings.scsi.steps. Throws InterruptedError after writing a checkpoint when a stop was requested, NumericalError
  /// when the loss is not finite (the last checkpoint stays).
  void run();

  std::int64_t step() const { return step_; }

 private:
  /// The Gaussian that the start and the bridge are made of, where the settings ask for one.
  std::optional<GaussianBridge> fit_start();
  void build_model(std::optional<GaussianBridge> bridge);
  /// A fresh network, or the model and weights of start.run.
  void build_networks();
  /// The whole start, its first figures and checkpoint.
  void start_here();
  void resume_here();
  /// Gives the first rank's checkpoint to the others' folders.
  void share_checkpoint();
  void begin_steps();
  void fill_pool();
  void stop_start_if_requested() const;
  at::Tensor start_signals(const ObservationBatch& batch);
  int stop_signal() const { return observer_.stop_requested ? observer_.stop_requested() : 0; }
  double train_step();
  /// This rank's part of the step's loss, and its gradients.
  double backward_pass();
  void advance();
  void refresh_pool();
  /// Which of the rows of a refresh this rank observes and transports.
  std::pair<std::int64_t, std::int64_t> refresh_share(std::int64_t rows) const;
  /// The `rows` of all ranks. Of a batch what the pool keeps: without the raw observations.
  at::Tensor gathered(const at::Tensor& mine, std::int64_t rows) const;
  ObservationBatch gathered(const ObservationBatch& mine, std::int64_t rows) const;
  bool stopped_early() const { return memorised_evaluations_ >= 2; }
  Network& teacher() { return settings_.scsi.teacher == "ema" ? *ema_ : *student_; }
  void evaluate();
  void measure();
  void write_final_figures();
  void save_checkpoint();
  void write_checkpoint() const;
  /// Share of the time of steps and refreshes that the ranks waited for each other or for the network, since the last call.
  double waiting_fraction();
  void say(const std::string& text) const;

  TrainSettings settings_;
  const Channel& channel_;
  RunFolder& folder_;
  TrainingObserver observer_;
  Ranks& ranks_;
  RandomKey key_;
  Observations observations_;
  TrainingFigures figures_;
  std::optional<LatentGaussian> latent_start_;
  std::optional<Integration> start_run_restoration_;
  std::optional<DriftModel> model_;
  std::optional<CleanSignals> clean_signals_;
  std::optional<TrainingBatcher> batcher_;
  std::unique_ptr<Network> student_, ema_;
  std::unique_ptr<Optimiser> optimiser_;
  std::optional<GradientSum> gradient_sum_;  ///< of several ranks
  Pool pool_;
  std::int64_t step_ = 0;
  std::int64_t refreshed_at_ = -1;  ///< step before which the pool was last refreshed
  std::int64_t network_calls_ = 0;
  double loss_average_ = 0.0;
  std::int64_t memorised_evaluations_ = 0;  ///< in a row, at which scsi.early_stop was exceeded
  int agreed_signal_ = 0;  ///< several ranks: a stop signal that one of them had received in the last step
  double working_s_ = 0.0, waiting_s_ = 0.0;  ///< of this rank's steps and refreshes since the last evaluation
  double waiting_fraction_ = 0.0;
  Stopwatch watch_;  ///< of the training, without the time between its sessions
  std::string note_;
};

}  // namespace unchannel
