#include "learnt_signals.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <set>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/observed_rows.hpp>
#include <unchannel/scsi/training_batch.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kBlockRows = 512;

void append_latent(DatasetWriter& writer, const LatentSpec& spec, const at::Tensor& values) {
  const at::Tensor rows = values.contiguous();
  const std::vector<std::uint64_t> shape(rows.sizes().begin() + 1, rows.sizes().end());
  const auto size = static_cast<std::size_t>(rows.numel());
  switch (rows.scalar_type()) {
    case at::kInt:
      return writer.append_latent(spec.name, shape, std::span(rows.const_data_ptr<std::int32_t>(), size));
    case at::kLong:
      return writer.append_latent(spec.name, shape, std::span(rows.const_data_ptr<std::int64_t>(), size));
    default:
      return writer.append_latent(spec.name, shape, std::span(rows.const_data_ptr<float>(), size));
  }
}

void append_rows(DatasetWriter& writer, const Channel& channel, const at::Tensor& x_BD, const ObservationBatch& batch, const at::Tensor& kept) {
  const at::Tensor rows = x_BD.index_select(0, kept).contiguous();
  writer.append({rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source != LatentSource::kFresh) append_latent(writer, spec, batch.latents.at(spec.name).index_select(0, kept));
  }
  const at::Tensor numbers = batch.row_numbers().index_select(0, kept).to(at::kDouble);
  writer.append_column("training_row", std::span(numbers.const_data_ptr<double>(), static_cast<std::size_t>(numbers.numel())));
}

}  // namespace

void write_learnt_signals(const std::filesystem::path& path, const TrainedModel& trained, const Channel& channel, const Observations& observations,
                          const TrainSettings& settings, std::int64_t rows, const std::function<void(std::int64_t)>& progress) {
  const std::vector<std::int64_t> shape = channel.signal_shape();
  DatasetWriter writer(path, DatasetKind::signals, {shape.begin(), shape.end()});
  writer.set_attribute("origin", fmt::format("restorations of training observations of {} at step {}", settings.data.file(), trained.step));
  const RandomKey key = RandomKey(static_cast<std::uint64_t>(settings.run.key)).derive(Purpose::kSignalPrior).derive(Purpose::kTransportNoise);
  std::int64_t done = 0;
  observations.for_each_training_block(kBlockRows, rows > 0 ? rows : observations.training_rows(), [&](const ObservationBatch& batch) {
    if (progress) progress(done);
    const at::Tensor numbers = batch.row_numbers();
    const at::Tensor x_BD =
        trained.model.transport(*trained.network, batch.lifted_BD, visible_latents(channel, batch.latents), settings.transport.in_restoration(), key,
                                numbers, transporters_of(numbers, settings.model));
    const at::Tensor kept = (batch.weight_B.defined() ? batch.weight_B : at::ones({numbers.size(0)})).nonzero().squeeze(1);
    append_rows(writer, channel, x_BD, batch, kept);
    done += numbers.size(0);
  });
  if (progress) progress(done);
  writer.close();
}

LearntSignals::LearntSignals(const std::filesystem::path& path, const Channel& channel, std::int64_t held_out_rows, std::int64_t buffer_mib,
                             RandomKey key)
    : reader_(path, DatasetKind::signals) {
  check_row_size(reader_, channel);
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source == LatentSource::kFresh) continue;
    reader_.latent(spec.name);  // DataError where it is missing
    stored_.push_back(spec);
  }
  const auto wanted = static_cast<std::uint64_t>(held_out_rows);
  check<ConfigError>(reader_.rows() > wanted + 16, "{}: {} signals are too few for posterior.held_out_rows = {}. Lower it or bring more signals.",
                     path.string(), reader_.rows(), held_out_rows);
  held_out_ = row_range(0, reader_.rows());
  const RandomKey split_key = key.derive(Purpose::kSplit);
  std::sort(held_out_.begin(), held_out_.end(), [&](std::uint64_t a, std::uint64_t b) {
    return std::pair(split_key.bits(a, 0), a) < std::pair(split_key.bits(b, 0), b);
  });
  held_out_.resize(wanted);
  const std::set<std::uint64_t> excluded(held_out_.begin(), held_out_.end());
  for (std::uint64_t row = 0; row < reader_.rows(); ++row) {
    if (!excluded.contains(row)) training_.push_back(row);
  }
  const auto numbers = reader_.numeric_column("training_row");
  training_row_N_ = numbers ? at::tensor(*numbers, at::kDouble).to(at::kLong) : at::arange(static_cast<std::int64_t>(reader_.rows()), at::kLong);
  const std::uint64_t held_bytes = static_cast<std::uint64_t>(buffer_mib) << 20;
  if (reader_.rows() <= held_bytes / (sizeof(float) * reader_.dim())) held_ = read(row_range(0, reader_.rows()));
}

LearntSignals::Rows LearntSignals::read(const std::vector<std::uint64_t>& rows) const {
  at::Tensor index_B = at::empty({static_cast<std::int64_t>(rows.size())}, at::kLong);
  std::copy(rows.begin(), rows.end(), index_B.data_ptr<std::int64_t>());
  Rows result;
  result.training_row_B = training_row_N_.index_select(0, index_B);
  result.x_BD = held_.x_BD.defined() ? held_.x_BD.index_select(0, index_B) : read_rows(reader_, rows);
  for (const LatentSpec& spec : stored_) {
    result.latents.emplace(spec.name, held_.x_BD.defined() ? held_.latents.at(spec.name).index_select(0, index_B)
                                                           : latent_tensor(reader_.read_latent(spec.name, rows), index_B.size(0), spec));
  }
  return result;
}

LearntSignals::Rows LearntSignals::rows(const at::Tensor& index_B) const {
  std::vector<std::uint64_t> chosen;
  for (const std::int64_t i : std::span(index_B.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(index_B.numel()))) {
    chosen.push_back(training_[static_cast<std::size_t>(i)]);
  }
  return read(chosen);
}

LearntSignals::Rows LearntSignals::sample(std::int64_t count) const {
  const std::int64_t taken = std::min(count, this->count());
  return rows(at::arange(taken, at::kLong).mul(this->count()).div_(taken, "floor"));
}

}  // namespace unchannel
