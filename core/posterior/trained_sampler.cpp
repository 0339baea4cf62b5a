#include "trained_sampler.hpp"

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <vector>

#include <unchannel/base/error.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/scsi/trained_model.hpp>

namespace unchannel {

TrainedSampler open_trained_sampler(const std::filesystem::path& sampler, const ModelSettings& settings) {
  const std::filesystem::path path = RunFolder::checkpoint_path(sampler);
  check<DataError>(std::filesystem::exists(path), "{}: holds no checkpoint yet; train the sampler with unchannel posterior.", sampler.string());
  const TensorFile file = read_tensor_file(path);
  try {
    TrainedSampler result{ConditionalModel::load(file, settings), nullptr, nlohmann::json::parse(file.text).at("step")};
    result.network = result.model.make_network(RandomKey(0));
    load_weights(file, "ema.", *result.network);
    return result;
  } catch (const std::out_of_range&) {
    throw DataError(fmt::format("{}: a tensor is missing; it was written by another version. Train the sampler again.", path.string()));
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}.", path.string(), error.what()));
  }
}

at::Tensor guide_signals(const TrainedModel& run, const at::Tensor& lifted_BD, const Latents& visible, const at::Tensor& member_B) {
  const at::NoGradGuard no_grad;
  DriftModel::Context context;
  context.planes_BPS = run.model.encoder().planes_BPS(visible);
  context.conditions_BC = run.model.encoder().conditions_BC(visible);
  context.member_B = member_B;
  const at::Tensor last = at::full({1}, run.model.interpolant().levels(), at::kLong);
  const DriftModel::Prediction seen = run.model.predict(*run.network, last, lifted_BD.unsqueeze(0), context);
  return run.model.within_range(run.model.decode(seen.signal_GNQ.flatten(0, 1)));
}

at::Tensor posterior_draws(const TrainedSampler& sampler, const Evidence& evidence, const at::Tensor& ids_B, const DrawOptions& options) {
  std::vector<at::Tensor> draws;
  for (std::int64_t sample = options.first; sample < options.samples; sample += options.stride) {
    draws.push_back(sampler.model.draw(*sampler.network, evidence, options.steps, options.key.derive(static_cast<std::uint64_t>(sample)), ids_B,
                                       options.member_B));
  }
  return at::stack(draws, 1);
}

}  // namespace unchannel
