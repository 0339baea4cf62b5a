#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/measurement/channel.hpp>

#include "settings.hpp"

// Shape legend: B rows · M observation dimensions · D signal dimensions
namespace unchannel {

/// Rows of the data file as tensors: raw and lifted observations with the latents that came with them.
struct ObservationBatch {
  std::vector<std::uint64_t> rows;  ///< row numbers in the file
  at::Tensor raw_BM;
  at::Tensor lifted_BD;
  Latents latents;                  ///< those that the model sees or that come from the data
  at::Tensor weight_B;              ///< float32, 0 where channel or lift failed and the row holds zeros; undefined when they never did

  /// `rows` as an int64 tensor [B].
  at::Tensor row_numbers() const;
};

/// Observations by their row number: stored ones (data.observations), or such that are simulated from clean signals (data.signals)
/// whenever they are read. A simulated row is a pure function of (data.simulation_key, row): the bits of `unchannel simulate`.
class ObservedRows {
 public:
  /// Opens the file (path already resolved). Throws DataError, ShapeError (channel and file disagree), ConfigError (data.first_row and
  /// data.rows reach beyond the file; a channel whose output is not a function of each sample alone cannot be simulated row by row).
  ObservedRows(const DataSettings& settings, const Channel& channel);

  const DatasetReader& reader() const { return reader_; }
  bool simulated() const { return reader_.kind() == DatasetKind::signals; }
  /// The range of the file in use.
  std::uint64_t first() const { return first_; }
  std::uint64_t count() const { return count_; }
  /// Latents that the file stores and these rows need.
  const std::vector<LatentSpec>& stored_latents() const { return stored_; }

  ObservationBatch read(std::vector<std::uint64_t> rows) const;
  /// The same from what the file holds for these rows, already read.
  ObservationBatch observe(std::vector<std::uint64_t> rows, at::Tensor stored_BD, Latents stored) const;

 private:
  const Channel& channel_;
  DatasetReader reader_;
  RandomKey key_;
  std::uint64_t first_, count_;
  std::vector<LatentSpec> stored_;
};

/// Throws ShapeError unless the rows of `reader` have as many elements as the channel's signals or observations, whichever they are.
void check_row_size(const DatasetReader& reader, const Channel& channel);

/// Throws ConfigError unless data.first_row and data.rows lie inside `reader`.
void check_row_range(const DataSettings& settings, const DatasetReader& reader);

/// Rows [first, first + count) of a file with the latents that the model sees or that come from the data, for restoration.
/// Throws DataError when one of them is missing.
ObservationBatch read_observations(const DatasetReader& reader, const Channel& channel, std::uint64_t first, std::uint64_t count);

/// Values of `spec` as a tensor [rows, L…] of the latent's own type (a mask stored as float32 serves an int32 latent).
/// Throws ShapeError when the file's rows have another number of values.
at::Tensor latent_tensor(const LatentValues& values, std::int64_t rows, const LatentSpec& spec);

/// Rows of a reader as a float32 tensor [rows, D].
at::Tensor read_rows(const DatasetReader& reader, const std::vector<std::uint64_t>& rows);

/// Row numbers first … first + count − 1.
std::vector<std::uint64_t> row_range(std::uint64_t first, std::uint64_t count);

}  // namespace unchannel
