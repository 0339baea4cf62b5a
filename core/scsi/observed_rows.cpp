#include "observed_rows.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <numeric>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>

namespace unchannel {
namespace {

std::int64_t product(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

/// The latents that must lie in the file: of observations those that the model sees or the data give, of signals only the latter, since the
/// simulation draws the others. Throws DataError when one is missing, ShapeError when it has another size.
std::vector<LatentSpec> latents_of_file(const DatasetReader& reader, const Channel& channel) {
  const bool clean = reader.kind() == DatasetKind::signals;
  std::vector<LatentSpec> needed;
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source == LatentSource::kFresh && (clean || !spec.visible)) continue;
    const auto& stored = reader.latents();
    const auto found = std::find_if(stored.begin(), stored.end(), [&](const LatentInfo& info) { return info.name == spec.name; });
    check<DataError>(found != stored.end(), "{}: /latents/{} is missing; channel.latents.{} is {} and needs a value for every {}.",
                     reader.path().string(), spec.name, spec.name, spec.visible && !clean ? "visible to the model" : "taken from the data",
                     clean ? "signal" : "observation");
    check<ShapeError>(static_cast<std::int64_t>(found->row_size) == product(spec.shape),
                      "{}: /latents/{} has {} values a row; the latent of channel {} has {}. Adapt the channel's parameters or the data.",
                      reader.path().string(), spec.name, found->row_size, channel.id(), product(spec.shape));
    needed.push_back(spec);
  }
  return needed;
}

Latents read_latents(const DatasetReader& reader, const std::vector<LatentSpec>& specs, const std::vector<std::uint64_t>& rows) {
  Latents result;
  for (const LatentSpec& spec : specs) {
    result.emplace(spec.name, latent_tensor(reader.read_latent(spec.name, rows), static_cast<std::int64_t>(rows.size()), spec));
  }
  return result;
}

void lift(ObservationBatch& batch, const Channel& channel) {
  const FailureWatch watch(channel);
  batch.lifted_BD = channel.lift(batch.raw_BM, batch.latents);
  batch.weight_B = both_weights(batch.weight_B, watch.weight_B(batch.lifted_BD.size(0)));
}

DatasetReader open(const DataSettings& settings) {
  return DatasetReader(settings.file(), settings.signals.empty() ? DatasetKind::observations : DatasetKind::signals);
}

}  // namespace

at::Tensor ObservationBatch::row_numbers() const {
  at::Tensor numbers = at::empty({static_cast<std::int64_t>(rows.size())}, at::kLong);
  std::copy(rows.begin(), rows.end(), numbers.data_ptr<std::int64_t>());
  return numbers;
}

ObservedRows::ObservedRows(const DataSettings& settings, const Channel& channel)
    : channel_(channel), reader_(open(settings)), key_(static_cast<std::uint64_t>(settings.simulation_key)) {
  check_row_size(reader_, channel);
  check_row_range(settings, reader_);
  check<ConfigError>(!simulated() || channel.determinism() == Determinism::kPerSample,
                     "data.signals: channel {} does not promise the same output for a sample in any batch, so rows cannot be observed one by "
                     "one. Run `unchannel simulate` once and name its output in data.observations.",
                     channel.id());
  first_ = static_cast<std::uint64_t>(settings.first_row);
  count_ = settings.rows > 0 ? static_cast<std::uint64_t>(settings.rows) : reader_.rows() - first_;
  stored_ = latents_of_file(reader_, channel);
}

ObservationBatch ObservedRows::observe(std::vector<std::uint64_t> rows, at::Tensor stored_BD, Latents stored) const {
  ObservationBatch batch;
  batch.rows = std::move(rows);
  if (!simulated()) {
    batch.raw_BM = std::move(stored_BD);
    batch.latents = std::move(stored);
  } else {
    const FailureWatch watch(channel_);
    Latents used;
    batch.raw_BM = measure(channel_, stored_BD, stored, key_, batch.row_numbers(), &used);
    batch.weight_B = watch.weight_B(batch.raw_BM.size(0));
    for (const LatentSpec& spec : channel_.latents()) {
      if (spec.source != LatentSource::kFresh || spec.visible) batch.latents.emplace(spec.name, used.at(spec.name));
    }
  }
  lift(batch, channel_);
  return batch;
}

ObservationBatch ObservedRows::read(std::vector<std::uint64_t> rows) const {
  at::Tensor stored_BD = read_rows(reader_, rows);
  Latents stored = read_latents(reader_, stored_, rows);
  return observe(std::move(rows), std::move(stored_BD), std::move(stored));
}

void check_row_size(const DatasetReader& reader, const Channel& channel) {
  const bool clean = reader.kind() == DatasetKind::signals;
  const std::int64_t expected = product(clean ? channel.signal_shape() : channel.observation_shape());
  check<ShapeError>(static_cast<std::int64_t>(reader.dim()) == expected,
                    "{}: {} have {} elements a row; channel {} {} {}. Adapt the channel's parameters or the data.", reader.path().string(),
                    to_string(reader.kind()), reader.dim(), channel.id(), clean ? "takes" : "makes", expected);
}

void check_row_range(const DataSettings& settings, const DatasetReader& reader) {
  const auto first = static_cast<std::uint64_t>(settings.first_row), rows = static_cast<std::uint64_t>(settings.rows);
  check<ConfigError>(first < reader.rows() && rows <= reader.rows() - first,
                     "{}: data.first_row = {} and data.rows = {} reach beyond its {} rows. Lower them or bring more data.",
                     reader.path().string(), first, rows, reader.rows());
}

ObservationBatch read_observations(const DatasetReader& reader, const Channel& channel, std::uint64_t first, std::uint64_t count) {
  check_row_size(reader, channel);
  ObservationBatch batch;
  batch.rows = row_range(first, count);
  batch.raw_BM = read_rows(reader, batch.rows);
  batch.latents = read_latents(reader, latents_of_file(reader, channel), batch.rows);
  lift(batch, channel);
  return batch;
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

std::vector<std::uint64_t> row_range(std::uint64_t first, std::uint64_t count) {
  std::vector<std::uint64_t> rows(count);
  std::iota(rows.begin(), rows.end(), first);
  return rows;
}

}  // namespace unchannel
