#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <unchannel/base/stopwatch.hpp>
#include <unchannel/baselines/ambient_diffusion.hpp>
#include <unchannel/nn/optimiser.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/observations.hpp>

#include "run_config.hpp"

// Shape legend: B rows · S pixels of a plane
namespace unchannel {

/// The masks of a batch's observations, [B, S] float32. Throws DataError for values other than 0 and 1.
at::Tensor masks_of(const ObservationBatch& batch);

/// A folder in which an ambient denoiser learns from the masked observations of a configuration. Of this count [channel], [data], [model],
/// [optimiser], [run], interpolant.time_levels, transport.batch and scsi.steps, .batch and .resamples. Its state is
/// checkpoints/ambient.safetensors: training goes on there bit by bit on the same kind of CPU with the same number of threads.
class AmbientRun {
 public:
  /// Opens the folder `run`, new or not; `channel` must outlive it. Throws ConfigError when the channel is no random mask that the model sees, or
  /// when the folder was started with other settings or another `delta`; DataError for a damaged checkpoint.
  AmbientRun(RunConfig config, const std::filesystem::path& run, double delta, const Channel& channel);

  /// Trains to scsi.steps; returns at once where that is done. Throws InterruptedError after a checkpoint when a stop was requested,
  /// NumericalError when the loss is not finite (the last checkpoint stays).
  void train();

  const baselines::AmbientDenoiser& denoiser() const { return *denoiser_; }
  /// The averaged weights.
  Network& network() const { return *ema_; }
  std::int64_t levels() const { return config_.train.interpolant.time_levels; }
  /// The least time that is learnt.
  double least_time() const { return 1.0 / static_cast<double>(levels()); }
  /// Masks such as the denoiser was trained with: each a training observation's, thinned. Row b is a function of (key, ids_B[b]). [B, S]
  at::Tensor drawn_masks(RandomKey key, const at::Tensor& ids_B) const;
  /// "run PATH at step N", for origin attributes.
  std::string name() const;

 private:
  std::filesystem::path checkpoint_path() const;
  void start();
  void resume();
  void build_networks(baselines::PixelLaw law);
  double train_step();
  void evaluate(double loss) const;
  void save_checkpoint() const;
  const ScsiSettings& scsi() const { return config_.train.scsi; }

  RunConfig config_;
  std::string config_toml_;
  double delta_;
  const Channel& channel_;
  RandomKey key_;
  RunFolder folder_;
  Observations observations_;
  ObservationBatch held_out_;
  at::Tensor masks_NS_;  ///< of training observations
  std::optional<baselines::AmbientDenoiser> denoiser_;
  std::unique_ptr<Network> student_, ema_;
  std::unique_ptr<Optimiser> optimiser_;
  std::int64_t step_ = 0;
  Stopwatch watch_;
};

}  // namespace unchannel
