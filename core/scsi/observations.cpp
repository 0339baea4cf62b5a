#include "observations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

/// The first `count` of these rows in an order that depends on the key only.
std::vector<std::uint64_t> held_out_rows(const std::vector<std::uint64_t>& rows, std::uint64_t count, RandomKey key) {
  const RandomKey split_key = key.derive(Purpose::kSplit);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranked;
  ranked.reserve(rows.size());
  for (const std::uint64_t row : rows) ranked.emplace_back(split_key.bits(row, 0), row);
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count), ranked.end());
  std::vector<std::uint64_t> chosen;
  for (std::uint64_t i = 0; i < count; ++i) chosen.push_back(ranked[i].second);
  return chosen;
}

}  // namespace

Observations::Observations(const DataSettings& settings, const Channel& channel, RandomKey key) : channel_(channel), rows_(settings, channel) {
  const auto held_out = static_cast<std::uint64_t>(settings.early_stop_rows + settings.test_rows);
  check<ConfigError>(rows_.count() > held_out + 16,
                     "{}: {} rows are too few for data.early_stop_rows = {} and data.test_rows = {}. Lower them or bring more data.",
                     settings.file(), rows_.count(), settings.early_stop_rows, settings.test_rows);
  const std::vector<std::uint64_t> all = row_range(rows_.first(), rows_.count());
  const std::vector<std::uint64_t> rows = held_out_rows(all, held_out, key);
  early_stop_.assign(rows.begin(), rows.begin() + settings.early_stop_rows);
  test_.assign(rows.begin() + settings.early_stop_rows, rows.end());
  const std::set<std::uint64_t> excluded(rows.begin(), rows.end());
  std::copy_if(all.begin(), all.end(), std::back_inserter(training_), [&](std::uint64_t row) { return !excluded.contains(row); });
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

ObservationBatch Observations::next(std::int64_t count) {
  StreamBatch batch = stream_->next_batch(static_cast<std::uint64_t>(count));
  at::Tensor stored_BD = at::empty({count, static_cast<std::int64_t>(rows_.reader().dim())}, at::kFloat);
  std::copy(batch.rows.begin(), batch.rows.end(), stored_BD.data_ptr<float>());
  Latents stored;
  for (const LatentSpec& spec : rows_.stored_latents()) stored.emplace(spec.name, latent_tensor(batch.latents.at(spec.name), count, spec));
  return rows_.observe(std::move(batch.indices), std::move(stored_BD), std::move(stored));
}

}  // namespace unchannel
