#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/observations.hpp>
#include <unchannel/scsi/settings.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "settings.hpp"

// Shape legend: B rows · D data dimension
namespace unchannel {

/// Writes the restorations of `rows` training observations (0: all), draws of the learnt prior, with the latents that their simulation takes from
/// the data and the numbers of their observations (/training_row). A committee restores every row by the member that has not learnt from it.
/// `progress` (may be empty) is told the rows done and throws to stop; nothing is written then.
void write_learnt_signals(const std::filesystem::path& path, const TrainedModel& trained, const Channel& channel, const Observations& observations,
                          const TrainSettings& settings, std::int64_t rows, const std::function<void(std::int64_t)>& progress);

/// Signals that a posterior sampler learns from, in a training and a held-out part. A file no larger than `buffer_mib` is held in memory.
class LearntSignals {
 public:
  struct Rows {
    at::Tensor x_BD;
    Latents latents;          ///< those that the channel does not draw itself
    at::Tensor training_row_B;  ///< number of the observation that each was restored from; its own row where the file does not say
  };

  /// Throws DataError (no file, a latent is missing), ShapeError (file and channel disagree), ConfigError (too few rows for the split).
  LearntSignals(const std::filesystem::path& path, const Channel& channel, std::int64_t held_out_rows, std::int64_t buffer_mib, RandomKey key);

  std::int64_t count() const { return static_cast<std::int64_t>(training_.size()); }
  /// Training rows: index_B int64 in [0, count).
  Rows rows(const at::Tensor& index_B) const;
  /// All rows of the held-out part.
  Rows held_out() const { return read(held_out_); }
  /// At most `count` training rows, evenly spread.
  Rows sample(std::int64_t count) const;

 private:
  Rows read(const std::vector<std::uint64_t>& rows) const;

  DatasetReader reader_;
  std::vector<LatentSpec> stored_;
  std::vector<std::uint64_t> training_, held_out_;
  at::Tensor training_row_N_;
  Rows held_;  ///< every row of the file; undefined tensors when the file is read by steps
};

}  // namespace unchannel
