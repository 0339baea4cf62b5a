#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include <unchannel/data/shuffled_stream.hpp>
#include <unchannel/measurement/channel.hpp>

#include "observed_rows.hpp"

namespace unchannel {

/// The observations of a run in three disjoint splits. Training rows are streamed; nothing but the held-out rows stays in memory.
class Observations {
 public:
  /// Throws what ObservedRows throws, and ConfigError when there are too few rows for the splits.
  Observations(const DataSettings& settings, const Channel& channel, RandomKey key);

  /// Elements of a lifted observation, which are those of a signal.
  std::int64_t signal_size() const;
  std::int64_t training_rows() const { return static_cast<std::int64_t>(stream_->rows()); }
  /// The next training rows in shuffled order; endless.
  ObservationBatch next(std::int64_t count) { return next(count, 0, count); }
  /// Of the next `count` rows those from `begin` to `end`; the others are read, but neither simulated nor lifted.
  ObservationBatch next(std::int64_t count, std::int64_t begin, std::int64_t end);
  /// `rows` training rows, evenly spread over the file, for fits that read once: calls `use` in blocks.
  template <class Use>
  void for_each_training_block(std::int64_t block_rows, std::int64_t rows, Use&& use) const {
    const std::size_t count = std::min(training_.size(), static_cast<std::size_t>(rows));
    std::vector<std::uint64_t> block;
    for (std::size_t i = 0; i < count; ++i) {
      block.push_back(training_[i * training_.size() / count]);
      if (block.size() < static_cast<std::size_t>(block_rows) && i + 1 < count) continue;
      use(rows_.read(block));
      block.clear();
    }
  }
  ObservationBatch early_stop() const { return rows_.read(early_stop_); }
  /// `count` training rows, evenly spread over the file, all of them when there are fewer.
  ObservationBatch training_sample(std::int64_t count) const;
  ObservationBatch test() const { return rows_.read(test_); }

  StreamPosition position() const { return stream_->position(); }
  void restore(const StreamPosition& position) { stream_->restore(position); }
  const DatasetReader& reader() const { return rows_.reader(); }

 private:
  const Channel& channel_;
  ObservedRows rows_;
  std::vector<std::uint64_t> training_, early_stop_, test_;
  std::unique_ptr<ShuffledStream> stream_;
};

}  // namespace unchannel
