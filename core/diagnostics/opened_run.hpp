#pragma once

#include <filesystem>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observations.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "gap_test.hpp"

namespace unchannel::diagnostics {

/// A run, opened at its last checkpoint to restore and measure.
struct OpenedRun {
  /// Keeps references to `settings` and `channel`. Throws DataError (no or damaged checkpoint), what Observations throws.
  OpenedRun(const std::filesystem::path& run, const TrainSettings& settings, const Channel& channel);

  at::Tensor restore(const at::Tensor& y_ND, const Latents& visible, RandomKey own, const at::Tensor& ids_N) const;

  const TrainSettings& settings;
  const Channel& channel;
  RandomKey key;
  TrainedModel trained;
  Observations observations;
};

/// The run's test of fit: its training rows, at most kVerdictRows, its early-stop and its test rows. `run` must outlive it.
GapTestCase gap_test_case(const OpenedRun& run);

}  // namespace unchannel::diagnostics
