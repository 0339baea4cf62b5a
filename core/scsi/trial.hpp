#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <unchannel/interpolant/gaussian_bridge.hpp>
#include <unchannel/measurement/channel.hpp>

#include "memory_model.hpp"
#include "settings.hpp"
#include "trainer.hpp"

namespace unchannel {

/// What a few steps of a training showed, on this machine and with the threads that are set.
struct TrialResult {
  std::int64_t training_rows = 0;      ///< of the whole file, as the training will see them
  std::int64_t parameters = 0;
  double start_s = 0.0;                ///< fit of the linear start included, filling the pool not
  MemoryModel memory;
  double step_s = 0.0;                 ///< of one inner step at scsi.batch
  bool step_extrapolated = false;      ///< true: from smaller batches, since a full one would not fit or take too long here
  std::int64_t measured_peak_bytes = 0;///< of tensors in a full step with the trial's small pool and without a window; 0 when extrapolated
  double transport_row_s = 0.0;        ///< one drift call for one row
  double channel_sample_s = 0.0;       ///< one simulation and lift
  std::optional<GaussianModel> gaussian;  ///< the fitted linear start
};

/// Runs a few steps of the training in a temporary folder: first small ones, which give the memory model, then full ones where they fit
/// into the memory and into about a minute. Nothing else is written. `watcher.message` is told the phases, `watcher.stop_requested` is polled.
/// Throws what Trainer throws.
TrialResult run_trial(const TrainSettings& settings, const Channel& channel, const TrainingObserver& watcher);

/// The same without the full steps: the memory model and what it needs.
TrialResult run_small_trial(const TrainSettings& settings, const Channel& channel);

/// What to say when a training of these settings ran out of memory, found by small steps. Throws nothing: where these do not fit either, the
/// advice says so.
std::string memory_advice(const TrainSettings& settings, const Channel& channel);

}  // namespace unchannel
