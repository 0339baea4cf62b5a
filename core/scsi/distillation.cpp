#include "distillation.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/run/run_folder.hpp>

#include "training_batch.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kMostRows = 32768;
constexpr std::int64_t kMostBytes = std::int64_t{256} << 20;

struct Pairs {
  at::Tensor y_BD, target_BD;
  Latents visible;
};

std::filesystem::path one_call_path(const std::filesystem::path& run) { return RunFolder::checkpoint_path(run).parent_path() / "one_call.safetensors"; }

/// x̂ at t = 1 in model coordinates, with gradients when the network's weights have them.
at::Tensor at_observation(const DriftModel& model, Network& network, const at::Tensor& y_BD, const Latents& visible) {
  DriftModel::Context context;
  context.planes_BPS = model.encoder().planes_BPS(visible);
  context.conditions_BC = model.encoder().conditions_BC(visible);
  return model.predict(network, at::full({1}, model.interpolant().levels(), at::kLong), y_BD.unsqueeze(0), context).signal_GNQ[0];
}

Latents rows_of(const Latents& latents, const at::Tensor& index_B) {
  Latents result;
  for (const auto& [name, values] : latents) result.emplace(name, values.index_select(0, index_B));
  return result;
}

/// (y, Φ(y)) of training observations, then (ỹ, Φ(ỹ)) of ỹ = F(Φ(y)): twice the inputs, and of the kind that comes later.
Pairs make_pairs(const TrainedModel& trained, const Channel& channel, const Observations& observations, const Integration& how, RandomKey key) {
  const std::int64_t most = std::min(kMostRows, kMostBytes / (4 * static_cast<std::int64_t>(sizeof(float)) * observations.signal_size()));
  const ObservationBatch rows = observations.training_sample(std::max<std::int64_t>(16, most));
  const at::Tensor ids_B = rows.row_numbers();
  const Latents seen = visible_latents(channel, rows.latents);
  const at::Tensor restored_BD = trained.model.transport(*trained.network, rows.lifted_BD, seen, how, key, ids_B);
  const FailureWatch watch(channel);
  Latents used;
  const at::Tensor simulated_BD = simulate_with_sources(channel, restored_BD, rows.latents, rows.latents, key, ids_B, &used);
  const at::Tensor weight_B = watch.weight_B(restored_BD.size(0));
  const Latents fresh = visible_latents(channel, used);
  const at::Tensor again_BD = trained.model.transport(*trained.network, simulated_BD, fresh, how, key.derive(1), ids_B);
  const auto both = [&](const at::Tensor& first, const at::Tensor& second) {
    return at::cat({valid_rows(first, rows.weight_B), valid_rows(second, weight_B)});
  };
  Pairs pairs{both(rows.lifted_BD, simulated_BD), both(restored_BD, again_BD), {}};
  for (const auto& [name, values] : seen) pairs.visible.emplace(name, both(values, fresh.at(name)));
  return pairs;
}

double rms(const at::Tensor& values) { return values.to(at::kDouble).square().mean().sqrt().item<double>(); }

}  // namespace

DistilledModel distil(const TrainedModel& trained, const Channel& channel, const Observations& observations, const Integration& how,
                      const DistillationSettings& settings, const std::function<int(std::int64_t)>& progress) {
  const DriftModel& model = trained.model;
  check<ConfigError>(!model.interpolant().stochastic(), "distil: this run's transport is random; one call can stand for an ODE only. Train with "
                     "interpolant.epsilon = 0.");
  const RandomKey key = RandomKey(static_cast<std::uint64_t>(settings.key)).derive(Purpose::kBaseline);
  Pairs pairs;
  {
    const at::NoGradGuard no_grad;
    pairs = make_pairs(trained, channel, observations, how, key);
  }
  std::unique_ptr<Network> student = model.make_network(RandomKey(0)), average = model.make_network(RandomKey(0));
  copy_parameters(*trained.network, *student);
  copy_parameters(*trained.network, *average);
  for (auto& [name, tensor] : student->parameters()) at::Tensor(tensor).set_requires_grad(true);
  OptimiserSettings adam;
  adam.learning_rate = settings.learning_rate;
  adam.final_learning_rate_share = 0.02;
  Optimiser optimiser(adam, *student, *average);
  const double scale2 = std::pow(model.normalisation().scale, 2);
  for (std::int64_t step = 0; step < settings.steps; ++step) {
    const at::Tensor index_B = draw_indices(key, static_cast<std::uint64_t>(step), 1, settings.batch, pairs.y_BD.size(0));
    const at::Tensor target_BQ = model.encode(pairs.target_BD.index_select(0, index_B));
    const at::Tensor guess_BQ = at_observation(model, *student, pairs.y_BD.index_select(0, index_B), rows_of(pairs.visible, index_B));
    const at::Tensor loss = (guess_BQ - target_BQ).square().mean() / scale2;
    check<NumericalError>(std::isfinite(loss.item<double>()), "distil: the loss is not finite at step {}. Lower --learning-rate.", step);
    loss.backward();
    optimiser.step(step, settings.steps);
    if (const int signal = progress ? progress(step + 1) : 0; signal != 0) throw InterruptedError("distil: interrupted; nothing was written.", signal);
  }
  const at::NoGradGuard no_grad;
  const ObservationBatch held_out = observations.early_stop();
  const Latents seen = visible_latents(channel, held_out.latents);
  const at::Tensor wanted_BD = model.transport(*trained.network, held_out.lifted_BD, seen, how, key, held_out.row_numbers());
  const at::Tensor got_BD = one_call(model, *average, held_out.lifted_BD, seen, how.batch);
  return {std::move(average), rms(got_BD - wanted_BD) / std::max(1e-30, rms(wanted_BD - held_out.lifted_BD))};
}

at::Tensor one_call(const DriftModel& model, Network& network, const at::Tensor& y_BD, const Latents& visible, std::int64_t batch) {
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < y_BD.size(0); begin += batch) {
    const std::int64_t end = std::min(y_BD.size(0), begin + batch);
    Latents own;
    for (const auto& [name, values] : visible) own.emplace(name, values.slice(0, begin, end));
    parts.push_back(model.within_range(model.decode(at_observation(model, network, y_BD.slice(0, begin, end), own))));
  }
  return parts.empty() ? at::empty_like(y_BD) : at::cat(parts);
}

std::unique_ptr<Network> open_one_call(const std::filesystem::path& run, const TrainedModel& trained) {
  const std::filesystem::path path = one_call_path(run);
  check<DataError>(std::filesystem::exists(path), "{}: has no one-call network; make one with `unchannel distil {}`.", run.string(), run.string());
  const TensorFile file = read_tensor_file(path);
  const nlohmann::json text = nlohmann::json::parse(file.text, nullptr, false);
  const std::int64_t step = text.is_object() ? text.value("step", std::int64_t{-1}) : -1;
  check<DataError>(step == trained.step, "{}: was distilled at step {}, the run is at step {}. Distil again: unchannel distil {}.", path.string(), step,
                   trained.step, run.string());
  std::unique_ptr<Network> network = trained.model.make_network(RandomKey(0));
  load_weights(file, "one_call.", *network);
  return network;
}

void store_one_call(const std::filesystem::path& run, const TrainedModel& trained, const DistilledModel& distilled) {
  TensorFile file;
  store_weights(*distilled.network, "one_call.", file);
  file.text = json_text(nlohmann::json{{"step", trained.step}, {"disagreement", distilled.disagreement}});
  write_tensor_file(one_call_path(run), file);
}

}  // namespace unchannel
