#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <memory>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "conditional_model.hpp"

// Shape legend: B rows · S draws · D data dimension
namespace unchannel {

/// A sampler opened for draws: the model with the averaged weights of its last checkpoint.
struct TrainedSampler {
  ConditionalModel model;
  std::unique_ptr<Network> network;
  std::int64_t step = 0;
};

/// The sampler in the folder `sampler`. Throws DataError when there is no checkpoint, or a damaged or another one.
TrainedSampler open_trained_sampler(const std::filesystem::path& sampler, const ModelSettings& settings);

/// The run's E[x | y] [B, D], by one call of its network at t = 1: the guide of its sampler. member_B as in DriftModel::transport.
at::Tensor guide_signals(const TrainedModel& run, const at::Tensor& lifted_BD, const Latents& visible, const at::Tensor& member_B = {});

/// How samplers draw.
struct DrawOptions {
  std::int64_t samples = 1;
  std::int64_t first = 0, stride = 1;  ///< only the draws first, first + stride, …: several samplers can share them out
  std::int64_t steps = 16;
  RandomKey key{1};
  at::Tensor member_B{};  ///< committees: the member that answers each row; undefined: the mean of all
};

/// Draws of x | y for each row, [B, S, D], S the number of those asked for. Draw s of row i is a pure function of (key, s, ids[i]) and its observation.
at::Tensor posterior_draws(const TrainedSampler& sampler, const Evidence& evidence, const at::Tensor& ids_B, const DrawOptions& options);

}  // namespace unchannel
