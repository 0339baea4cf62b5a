#include "restoration.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/distillation.hpp>
#include <unchannel/scsi/observations.hpp>

namespace unchannel {
namespace {

RunConfig with_consistent_samples(RunConfig config, std::int64_t samples) {
  check<ConfigError>(samples == 1 || Interpolant(config.train.interpolant).stochastic(),
                     "restore --samples {}: the ODE transport is deterministic, every sample would be the same. Train with "
                     "interpolant.epsilon > 0 or leave --samples out.",
                     samples);
  return config;
}

}  // namespace

Restoration::Restoration(RestorationRequest request, RunConfig config, const std::vector<std::string>& plugin_folders)
    : request_(std::move(request)),
      config_(with_consistent_samples(std::move(config), request_.samples)),
      channel_(open_channel(config_, plugin_folders, request_.input)),
      trained_(open_trained_model(request_.run, config_.train.model, config_.train.interpolant)),
      reader_(request_.input, DatasetKind::observations) {
  check_signal_shape(*channel_, trained_, request_.run, request_.input);
  if (request_.one_call) short_cut_ = open_one_call(request_.run, trained_);
}

at::Tensor Restoration::sample_BD(const at::Tensor& y_BD, const Latents& latents, std::uint64_t first, std::int64_t sample) const {
  const TransportSettings& transport = config_.train.transport;
  if (short_cut_) return one_call(trained_.model, *short_cut_, y_BD, latents, transport.batch);
  const RandomKey key = RandomKey(static_cast<std::uint64_t>(request_.key)).derive(Purpose::kTransportNoise).derive(static_cast<std::uint64_t>(sample));
  const auto begin = static_cast<std::int64_t>(first);
  return trained_.model.transport(*trained_.network, y_BD, latents, transport.in_restoration(), key, at::arange(begin, begin + y_BD.size(0), at::kLong));
}

Restoration::Block Restoration::rows(std::uint64_t first, std::uint64_t count) const {
  const std::uint64_t whole_first = first / block_rows() * block_rows();
  const std::uint64_t whole_count = std::min(block_rows(), reader_.rows() - whole_first);
  const ObservationBatch batch = read_observations(reader_, *channel_, whole_first, whole_count);
  std::vector<at::Tensor> samples;
  for (std::int64_t sample = 0; sample < request_.samples; ++sample) samples.push_back(sample_BD(batch.lifted_BD, batch.latents, whole_first, sample));
  at::Tensor restored_BKD = at::stack(samples, 1);
  const auto begin = static_cast<std::int64_t>(first - whole_first), end = begin + static_cast<std::int64_t>(count);
  Block block;
  if (batch.weight_B.defined()) {
    const at::Tensor bad_B = batch.weight_B.eq(0);
    restored_BKD.masked_fill_(bad_B.view({-1, 1, 1}), 0.0);
    block.failed = static_cast<std::uint64_t>(bad_B.slice(0, begin, end).sum().item<std::int64_t>());
  }
  block.signals_BKD = restored_BKD.slice(0, begin, end).contiguous();
  return block;
}

std::vector<std::uint64_t> Restoration::row_shape() const {
  std::vector<std::uint64_t> shape;
  if (request_.samples > 1) shape.push_back(static_cast<std::uint64_t>(request_.samples));
  for (const std::int64_t size : channel_->signal_shape()) shape.push_back(static_cast<std::uint64_t>(size));
  return shape;
}

std::string Restoration::origin() const {
  return fmt::format("restored from {} by run {} at step {}{}", request_.input, request_.run, trained_.step, request_.one_call ? ", one call" : "");
}

nlohmann::json Restoration::task() const {
  return {{"origin", origin()},
          {"checkpoint_sha256", sha256_file(RunFolder::checkpoint_path(request_.run))},
          {"input_rows", reader_.rows()},
          {"input_bytes", std::filesystem::file_size(request_.input)},
          {"channel", channel_->configuration()},
          {"samples", request_.samples},
          {"key", request_.key},
          {"block_rows", block_rows()}};
}

}  // namespace unchannel
