#pragma once

#include <filesystem>

#include <unchannel/measurement/channel.hpp>

#include "settings.hpp"
#include "trained_model.hpp"

namespace unchannel {

/// A trained run as the start of another training: its model and weights, and how it restores.
struct StartRun {
  TrainedModel trained;
  Integration restoration;
};

/// The checkpoint of the run that start.run names. Throws ConfigError when that is no run folder, DataError when it holds no checkpoint.
std::filesystem::path start_checkpoint(const StartSettings& start);

/// Opens that run for a training of `settings` on `channel`. Throws, beside that: ConfigError naming the first key of [model] or
/// [interpolant] that differs (dropout and precision may), or the visible latents when they differ; ShapeError for other signals.
StartRun open_start_run(const TrainSettings& settings, const Channel& channel);

}  // namespace unchannel
