#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <unchannel/nn/optimiser.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "latent_gaussian.hpp"

namespace unchannel {

/// The fixed parts of a model (Gaussian bridge, normalisation, latent encoding) to and from a checkpoint's tensors and text.
void store_model(const DriftModel& model, TensorFile& file);
DriftModel load_model(const TensorFile& file, const ModelSettings& settings, const InterpolantSettings& interpolant);

/// The same for a start that was fitted per latent; none where the checkpoint has no such start.
void store_latent_start(const LatentGaussian& start, TensorFile& file);
std::optional<LatentGaussian> load_latent_start(const TensorFile& file);

/// Tensors of `file` whose names start with `prefix`, without it.
std::map<std::string, at::Tensor> tensors_under(const TensorFile& file, const std::string& prefix);

/// Weights under `prefix` ("student.", "ema."). Throws DataError when names or shapes do not fit the network: a checkpoint of
/// another configuration.
void store_weights(const Network& network, const std::string& prefix, TensorFile& file);
void load_weights(const TensorFile& file, const std::string& prefix, Network& network);

/// Adam's moments, in the order of the optimiser's parameters. Throws DataError where a tensor is missing or of another shape.
void store_moments(const Optimiser& optimiser, TensorFile& file);
void load_moments(const TensorFile& file, Optimiser& optimiser);

/// A run opened for restoration: the model with the teacher's (EMA) weights of its last checkpoint.
struct TrainedModel {
  DriftModel model;
  std::unique_ptr<Network> network;
  std::int64_t step = 0;
  std::optional<LatentGaussian> latent_start;
};
TrainedModel open_trained_model(const std::filesystem::path& run, const ModelSettings& settings, const InterpolantSettings& interpolant);

}  // namespace unchannel
