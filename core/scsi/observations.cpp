#include "observations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

/// The first `count` rows of a permutation of [first, first + rows) that depends on the key only.
std::vector<std::uint64_t> held_out_rows(std::uint64_t first, std::uint64_t rows, std::uint64_t count, RandomKey key) {
  std::vector<std::uint64_t> order = row_range(first, rows);
  const RandomKey split_key = key.derive(Purpose::kSplit);
  std::vector<std::uint64_t> rank(rows);
  for (std::uint64_t i = 0; i < rows; ++i) rank[i] = split_key.bits(first + i, 0);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::uint64_t a, std::uint64_t b) { return std::pair(rank[a - first], a) < std::pair(rank[b - first], b); });
  order.resize(count);
  return order;
}

}  // namespace

Observations::Observations(const DataSettings& settings, const Channel& channel, RandomKey key) : channel_(channel), rows_(settings, channel) {
  const auto held_out = static_cast<std::uint64_t>(settings.early_stop_rows + settings.test_rows);
  check<ConfigError>(rows_.count() > held_out + 16,
                     "{}: {} rows are too few for data.early_stop_rows = {} and data.test_rows = {}. Lower them or bring more data.",
                     settings.file(), rows_.count(), settings.early_stop_rows, settings.test_rows);
  const std::vector<std::uint64_t> rows = held_out_rows(rows_.first(), rows_.count(), held_out, key);
  early_stop_.assign(rows.begin(), rows.begin() + settings.early_stop_rows);
  test_.assign(rows.begin() + settings.early_stop_rows, rows.end());
  const std::set<std::uint64_t> excluded(rows.begin(), rows.end());
  for (std::uint64_t row = rows_.first(); row < rows_.first() + rows_.count(); ++row) {
    if (!excluded.contains(row)) training_.push_back(row);
  }
  StreamOptions options;
  options.key = key.derive(Purpose::kDataOrder).value();
  options.max_buffer_bytes = static_cast<std::uint64_t>(settings.buffer_mib) << 20;
  for (const LatentSpec& spec : rows_.stored_latents()) options.latents.push_back(spec.name);
  options.subset = training_;
  stream_ = std::make_unique<ShuffledStream>(rows_.reader(), options);
}

std::int64_t Observations::signal_size() const {
  const std::vector<std::int64_t> shape = channel_.signal_shape();
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

ObservationBatch Observations::next(std::int64_t count, std::int64_t begin, std::int64_t end) {
  StreamBatch batch = stream_->next_batch(static_cast<std::uint64_t>(count));
  const auto dim = static_cast<std::int64_t>(rows_.reader().dim());
  at::Tensor stored_BD = at::empty({end - begin, dim}, at::kFloat);
  std::copy(batch.rows.begin() + begin * dim, batch.rows.begin() + end * dim, stored_BD.data_ptr<float>());
  Latents stored;
  for (const LatentSpec& spec : rows_.stored_latents()) {
    stored.emplace(spec.name, latent_tensor(batch.latents.at(spec.name), count, spec).slice(0, begin, end).contiguous());
  }
  return rows_.observe({batch.indices.begin() + begin, batch.indices.begin() + end}, std::move(stored_BD), std::move(stored));
}

ObservationBatch Observations::training_sample(std::int64_t count) const {
  const std::size_t rows = std::min(training_.size(), static_cast<std::size_t>(count));
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < rows; ++i) chosen.push_back(training_[i * training_.size() / rows]);
  return rows_.read(chosen);
}

}  // namespace unchannel
