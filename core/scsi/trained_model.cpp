#include "trained_model.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/run/run_folder.hpp>

namespace unchannel {

std::map<std::string, at::Tensor> tensors_under(const TensorFile& file, const std::string& prefix) {
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, tensor] : file.tensors) {
    if (name.starts_with(prefix)) result.emplace(name.substr(prefix.size()), tensor);
  }
  return result;
}

void store_model(const DriftModel& model, TensorFile& file) {
  if (model.bridge()) {
    for (const auto& [name, tensor] : model.bridge()->model().tensors()) file.tensors["bridge." + name] = tensor;
  }
  file.tensors["normalisation.mean"] = model.normalisation().mean_D;
  file.tensors["normalisation.scale"] = at::tensor({model.normalisation().scale}, at::kDouble);
  nlohmann::json text = file.text.empty() ? nlohmann::json::object() : nlohmann::json::parse(file.text);
  text["visible_latents"] = nlohmann::json::array();
  for (const ConditionEncoder::Entry& entry : model.encoder().entries()) {
    text["visible_latents"].push_back(
        {{"name", entry.name}, {"plane", entry.plane}, {"mean", entry.mean}, {"deviation", entry.deviation}, {"size", entry.size}});
  }
  text["plane_size"] = model.encoder().plane_size();
  text["signal_shape"] = model.signal_shape();
  file.text = json_text(text);
}

void store_latent_start(const LatentGaussian& start, TensorFile& file) {
  for (const auto& [name, tensor] : start.tensors()) file.tensors["latent_start." + name] = tensor;
  nlohmann::json text = nlohmann::json::parse(file.text);
  text["latent_start"] = start.latent();
  file.text = json_text(text);
}

std::optional<LatentGaussian> load_latent_start(const TensorFile& file) {
  const nlohmann::json text = nlohmann::json::parse(file.text);
  if (!text.contains("latent_start")) return std::nullopt;
  return LatentGaussian::from_tensors(text.at("latent_start"), tensors_under(file, "latent_start."));
}

DriftModel load_model(const TensorFile& file, const ModelSettings& settings, const InterpolantSettings& interpolant_settings) {
  const Interpolant interpolant(interpolant_settings);
  std::optional<GaussianBridge> bridge;
  const auto bridge_tensors = tensors_under(file, "bridge.");
  if (!bridge_tensors.empty()) bridge.emplace(GaussianModel::from_tensors(bridge_tensors), interpolant);
  const Normalisation normalisation{file.tensors.at("normalisation.mean"), file.tensors.at("normalisation.scale")[0].item<double>()};
  std::vector<ConditionEncoder::Entry> entries;
  const nlohmann::json text = nlohmann::json::parse(file.text);
  for (const auto& item : text.at("visible_latents")) {
    entries.push_back({item.at("name"), item.at("plane"), item.at("mean"), item.at("deviation"), item.at("size")});
  }
  return DriftModel(settings, interpolant, std::move(bridge), normalisation, ConditionEncoder(std::move(entries), text.at("plane_size")),
                    text.at("signal_shape").get<std::vector<std::int64_t>>());
}

void store_weights(const Network& network, const std::string& prefix, TensorFile& file) {
  for (const auto& [name, tensor] : network.parameters()) file.tensors[prefix + name] = tensor.detach().cpu();
}

void load_weights(const TensorFile& file, const std::string& prefix, Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.parameters()) {
    const auto found = file.tensors.find(prefix + name);
    check<DataError>(found != file.tensors.end() && found->second.sizes() == tensor.sizes(),
                     "the checkpoint belongs to another configuration: weight '{}' is missing or has another shape. Use the run's own "
                     "config.resolved.toml.",
                     name);
    at::Tensor(tensor).copy_(found->second);
  }
}

void store_moments(const Optimiser& optimiser, TensorFile& file) {
  for (std::size_t i = 0; i < optimiser.first_moments().size(); ++i) {
    file.tensors[fmt::format("adam.first.{}", i)] = optimiser.first_moments()[i].cpu();
    file.tensors[fmt::format("adam.second.{}", i)] = optimiser.second_moments()[i].cpu();
  }
}

void load_moments(const TensorFile& file, Optimiser& optimiser) {
  const auto load = [&](const std::string& name, at::Tensor& into) {
    const auto found = file.tensors.find(name);
    check<DataError>(found != file.tensors.end() && found->second.sizes() == into.sizes(),
                     "the checkpoint belongs to another configuration: '{}' is missing or has another shape. Use the run's own config.resolved.toml.",
                     name);
    into.copy_(found->second);
  };
  for (std::size_t i = 0; i < optimiser.first_moments().size(); ++i) {
    load(fmt::format("adam.first.{}", i), optimiser.first_moments()[i]);
    load(fmt::format("adam.second.{}", i), optimiser.second_moments()[i]);
  }
}

TrainedModel open_trained_model(const std::filesystem::path& run, const ModelSettings& settings, const InterpolantSettings& interpolant) {
  const std::filesystem::path path = RunFolder::checkpoint_path(run);
  check<DataError>(std::filesystem::exists(path), "{}: holds no checkpoint yet; train first.", run.string());
  const TensorFile file = read_tensor_file(path);
  try {
    TrainedModel trained{load_model(file, settings, interpolant), nullptr, 0, load_latent_start(file)};
    trained.network = trained.model.make_network(RandomKey(0));
    load_weights(file, "ema.", *trained.network);
    trained.step = nlohmann::json::parse(file.text).value("step", std::int64_t{0});
    return trained;
  } catch (const std::out_of_range&) {
    throw DataError(fmt::format("{}: a tensor is missing; it was written by another version. Train again or use that version.", path.string()));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}.", path.string(), error.what()));
  }
}

}  // namespace unchannel
