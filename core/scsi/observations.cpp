#include "observations.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>
#include <set>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>

namespace unchannel {
namespace {

/// The first `count` rows of a permutation of [0, rows) that depends on the key only.
std::vector<std::uint64_t> held_out_rows(std::uint64_t rows, std::uint64_t count, RandomKey key) {
  std::vector<std::uint64_t> order(rows);
  std::iota(order.begin(), order.end(), std::uint64_t{0});
  const RandomKey split_key = key.derive(Purpose::kSplit);
  std::vector<std::uint64_t> rank(rows);
  for (std::uint64_t row = 0; row < rows; ++row) rank[row] = split_key.bits(row, 0);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                    [&](std::uint64_t a, std::uint64_t b) { return std::pair(rank[a], a) < std::pair(rank[b], b); });
  order.resize(count);
  return order;
}

std::int64_t product(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// The latents that must come with the observations. Throws DataError when one is missing.
std::vector<LatentSpec> latents_from_data(const DatasetReader& reader, const Channel& channel) {
  std::vector<LatentSpec> needed;
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source == LatentSource::kFresh && !spec.visible) continue;
    const auto& stored = reader.latents();
    const bool present = std::any_of(stored.begin(), stored.end(), [&](const LatentInfo& info) { return info.name == spec.name; });
    check<DataError>(present, "{}: /latents/{} is missing; channel.latents.{} is {} and needs a value for every observation.",
                     reader.path().string(), spec.name, spec.name, spec.visible ? "visible to the model" : "taken from the data");
    needed.push_back(spec);
  }
  return needed;
}

void lift(ObservationBatch& batch, const Channel& channel) {
  const FailureWatch watch(channel);
  batch.lifted_BD = channel.lift(batch.raw_BM, batch.latents);
  batch.weight_B = watch.weight_B(batch.lifted_BD.size(0));
}

ObservationBatch read_batch(const DatasetReader& reader, const Channel& channel, const std::vector<LatentSpec>& from_data,
                            const std::vector<std::uint64_t>& rows) {
  ObservationBatch result;
  result.rows = rows;
  result.raw_BM = read_rows(reader, rows);
  for (const LatentSpec& spec : from_data) {
    result.latents.emplace(spec.name, latent_tensor(reader.read_latent(spec.name, rows), static_cast<std::int64_t>(rows.size()), spec));
  }
  lift(result, channel);
  return result;
}

}  // namespace

at::Tensor ObservationBatch::row_numbers() const {
  at::Tensor numbers = at::empty({static_cast<std::int64_t>(rows.size())}, at::kLong);
  std::copy(rows.begin(), rows.end(), numbers.data_ptr<std::int64_t>());
  return numbers;
}

void check_row_size(const DatasetReader& reader, const Channel& channel) {
  const bool clean = reader.kind() == DatasetKind::signals;
  const std::int64_t expected = product(clean ? channel.signal_shape() : channel.observation_shape());
  check<ShapeError>(static_cast<std::int64_t>(reader.dim()) == expected,
                    "{}: {} have {} elements a row; channel {} {} {}. Adapt the channel's parameters or the data.", reader.path().string(),
                    to_string(reader.kind()), reader.dim(), channel.id(), clean ? "takes" : "makes", expected);
}

ObservationBatch read_observations(const DatasetReader& reader, const Channel& channel, std::uint64_t first, std::uint64_t count) {
  check_row_size(reader, channel);
  std::vector<std::uint64_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return read_batch(reader, channel, latents_from_data(reader, channel), rows);
}

at::Tensor latent_tensor(const LatentValues& values, std::int64_t rows, const LatentSpec& spec) {
  std::vector<std::int64_t> shape = {rows};
  shape.insert(shape.end(), spec.shape.begin(), spec.shape.end());
  return std::visit(
      [&](const auto& list) {
        using Value = typename std::decay_t<decltype(list)>::value_type;
        check<ShapeError>(static_cast<std::int64_t>(list.size()) == rows * product(spec.shape),
                          "/latents/{} has {} values in {} rows; the channel's latent has {} a row.", spec.name, list.size(), rows,
                          product(spec.shape));
        const at::ScalarType type = std::is_same_v<Value, float> ? at::kFloat : std::is_same_v<Value, std::int32_t> ? at::kInt : at::kLong;
        at::Tensor tensor = at::empty(shape, type);
        std::copy(list.begin(), list.end(), static_cast<Value*>(tensor.data_ptr()));
        return tensor.to(spec.type);
      },
      values);
}

at::Tensor read_rows(const DatasetReader& reader, const std::vector<std::uint64_t>& rows) {
  at::Tensor values = at::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(reader.dim())}, at::kFloat);
  reader.read_rows(rows, {values.data_ptr<float>(), static_cast<std::size_t>(values.numel())});
  return values;
}

Observations::Observations(const DataSettings& settings, const Channel& channel, RandomKey key)
    : channel_(channel), reader_(settings.observations, DatasetKind::observations) {
  check_row_size(reader_, channel);
  from_data_ = latents_from_data(reader_, channel);
  const auto held_out = static_cast<std::uint64_t>(settings.early_stop_rows + settings.test_rows);
  check<ConfigError>(reader_.rows() > held_out + 16,
                     "{}: {} rows are too few for data.early_stop_rows = {} and data.test_rows = {}. Lower them or bring more data.",
                     settings.observations, reader_.rows(), settings.early_stop_rows, settings.test_rows);
  const std::vector<std::uint64_t> rows = held_out_rows(reader_.rows(), held_out, key);
  early_stop_.assign(rows.begin(), rows.begin() + settings.early_stop_rows);
  test_.assign(rows.begin() + settings.early_stop_rows, rows.end());
  const std::set<std::uint64_t> excluded(rows.begin(), rows.end());
  for (std::uint64_t row = 0; row < reader_.rows(); ++row) {
    if (!excluded.contains(row)) training_.push_back(row);
  }
  StreamOptions options;
  options.key = key.derive(Purpose::kDataOrder).value();
  options.max_buffer_bytes = static_cast<std::uint64_t>(settings.buffer_mib) << 20;
  for (const LatentSpec& spec : from_data_) options.latents.push_back(spec.name);
  options.subset = training_;
  stream_ = std::make_unique<ShuffledStream>(reader_, options);
}

std::int64_t Observations::signal_size() const { return product(channel_.signal_shape()); }

ObservationBatch Observations::next(std::int64_t count) {
  StreamBatch batch = stream_->next_batch(static_cast<std::uint64_t>(count));
  ObservationBatch result;
  result.rows = std::move(batch.indices);
  result.raw_BM = at::empty({count, static_cast<std::int64_t>(reader_.dim())}, at::kFloat);
  std::copy(batch.rows.begin(), batch.rows.end(), result.raw_BM.data_ptr<float>());
  for (const LatentSpec& spec : from_data_) result.latents.emplace(spec.name, latent_tensor(batch.latents.at(spec.name), count, spec));
  lift(result, channel_);
  return result;
}

ObservationBatch Observations::training_sample(std::int64_t count) const {
  const std::size_t rows = std::min(training_.size(), static_cast<std::size_t>(count));
  std::vector<std::uint64_t> chosen;
  for (std::size_t i = 0; i < rows; ++i) chosen.push_back(training_[i * training_.size() / rows]);
  return read(chosen);
}

ObservationBatch Observations::read(const std::vector<std::uint64_t>& rows) const { return read_batch(reader_, channel_, from_data_, rows); }

}  // namespace unchannel
