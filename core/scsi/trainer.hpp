#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include <unchannel/base/stopwatch.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "clean_signals.hpp"
#include "gaussian_fit.hpp"
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
/// with the same number of threads.
class Trainer {
 public:
  Trainer(const TrainSettings& settings, const Channel& channel, RunFolder& folder, TrainingObserver observer);
  ~Trainer();

  /// Fits the start, builds the model and the first pool. Throws InterruptedError, without a checkpoint, when a stop was requested
  /// meanwhile: polled in every round of the linear start and every 2,048 rows of the pool.
  void start();
  /// Takes everything from the last checkpoint. Throws DataError (no or damaged checkpoint, other configuration).
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
  void fill_pool();
  void stop_start_if_requested() const;
  at::Tensor start_signals(const ObservationBatch& batch);
  double train_step();
  void advance();
  ObservationBatch next_rows(std::int64_t count);
  void refresh_pool();
  bool stopped_early() const { return memorised_evaluations_ >= 2; }
  Network& teacher() { return settings_.scsi.teacher == "ema" ? *ema_ : *student_; }
  void evaluate();
  void write_final_figures();
  void save_checkpoint() const;
  /// Of the training, without the time between its sessions.
  void say(const std::string& text) const;

  TrainSettings settings_;
  const Channel& channel_;
  RunFolder& folder_;
  TrainingObserver observer_;
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
  Pool pool_;
  std::int64_t step_ = 0;
  std::int64_t refreshed_at_ = -1;  ///< step before which the pool was last refreshed
  std::int64_t network_calls_ = 0;
  double loss_average_ = 0.0;
  std::int64_t memorised_evaluations_ = 0;  ///< in a row, at which scsi.early_stop was exceeded
  Stopwatch watch_;
  std::string note_;
};

}  // namespace unchannel
