#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <unchannel/data/dataset.hpp>
#include <unchannel/data/shuffled_stream.hpp>
#include <unchannel/measurement/channel.hpp>

#include "settings.hpp"

// Shape legend: B rows · M observation dimensions · D signal dimensions
namespace unchannel {

/// Rows of the data file as tensors: raw and lifted observations with the latents that came with them.
struct ObservationBatch {
  std::vector<std::uint64_t> rows;  ///< row numbers in the file
  at::Tensor raw_BM;
  at::Tensor lifted_BD;
  Latents latents;                  ///< those the file has and the channel declares
  at::Tensor weight_B;              ///< float32, 0 where lift failed and lifted_BD holds zeros; undefined when it never did

  /// `rows` as an int64 tensor [B].
  at::Tensor row_numbers() const;
};

/// The observations of a run in three disjoint splits. Training rows are streamed; nothing but the held-out rows stays in memory.
class Observations {
 public:
  /// Opens data.observations (path already resolved). Throws DataError, ShapeError (channel and file disagree), ConfigError
  /// (too few rows for the splits).
  Observations(const DataSettings& settings, const Channel& channel, RandomKey key);

  /// Elements of a lifted observation, which are those of a signal.
  std::int64_t signal_size() const;
  std::int64_t training_rows() const { return static_cast<std::int64_t>(stream_->rows()); }
  /// The next training rows in shuffled order; endless.
  ObservationBatch next(std::int64_t count);
  /// `rows` training rows, evenly spread over the file, for fits that read once: calls `use` in blocks.
  template <class Use>
  void for_each_training_block(std::int64_t block_rows, std::int64_t rows, Use&& use) const {
    const std::size_t count = std::min(training_.size(), static_cast<std::size_t>(rows));
    std::vector<std::uint64_t> block;
    for (std::size_t i = 0; i < count; ++i) {
      block.push_back(training_[i * training_.size() / count]);
      if (block.size() < static_cast<std::size_t>(block_rows) && i + 1 < count) continue;
      use(read(block));
      block.clear();
    }
  }
  ObservationBatch early_stop() const { return read(early_stop_); }
  /// `count` training rows, evenly spread over the file, all of them when there are fewer.
  ObservationBatch training_sample(std::int64_t count) const;
  ObservationBatch test() const { return read(test_); }

  StreamPosition position() const { return stream_->position(); }
  void restore(const StreamPosition& position) { stream_->restore(position); }
  const DatasetReader& reader() const { return reader_; }

 private:
  ObservationBatch read(const std::vector<std::uint64_t>& rows) const;

  const Channel& channel_;
  DatasetReader reader_;
  std::vector<LatentSpec> from_data_;
  std::vector<std::uint64_t> training_, early_stop_, test_;
  std::unique_ptr<ShuffledStream> stream_;
};

/// Throws ShapeError unless the rows of `reader` have as many elements as the channel's signals or observations, whichever they are.
void check_row_size(const DatasetReader& reader, const Channel& channel);

/// Rows [first, first + count) of a file with the latents that the model sees or that come from the data, for restoration.
/// Throws DataError when one of them is missing.
ObservationBatch read_observations(const DatasetReader& reader, const Channel& channel, std::uint64_t first, std::uint64_t count);

/// Values of `spec` as a tensor [rows, L…] of the latent's own type (a mask stored as float32 serves an int32 latent).
/// Throws ShapeError when the file's rows have another number of values.
at::Tensor latent_tensor(const LatentValues& values, std::int64_t rows, const LatentSpec& spec);

/// Rows of a reader as a float32 tensor [rows, D].
at::Tensor read_rows(const DatasetReader& reader, const std::vector<std::uint64_t>& rows);

}  // namespace unchannel
