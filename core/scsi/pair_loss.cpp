#include "pair_loss.hpp"

#include <ATen/ATen.h>

#include <algorithm>

#include <unchannel/measurement/failure_watch.hpp>

#include "training_batch.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kTimes = 8;

struct Pairs {
  at::Tensor x_BD, y_BD;
  Latents visible;
};

/// The training loss of the pairs at `kTimes` times, each pair at every one of them.
double loss_of(const DriftModel& model, Network& network, const Pairs& pairs, RandomKey key) {
  const std::int64_t levels = model.interpolant().levels(), groups = std::min(kTimes, levels), rows = pairs.x_BD.size(0);
  at::Tensor level_G = at::empty({groups}, at::kLong);
  for (std::int64_t g = 0; g < groups; ++g) level_G.data_ptr<std::int64_t>()[g] = (2 * g + 1) * levels / (2 * groups) + 1;
  const auto each_time = [&](const at::Tensor& values_BD) { return values_BD.unsqueeze(0).expand({groups, rows, values_BD.size(1)}); };
  at::Tensor noise_GND;
  if (model.interpolant().draws_noise()) {
    noise_GND = normal_rows(key.derive(Purpose::kInterpolantNoise), at::arange(groups * rows, at::kLong), pairs.x_BD.size(1))
                    .view({groups, rows, pairs.x_BD.size(1)});
  }
  const at::Tensor t_G = level_G.to(at::kFloat) / static_cast<double>(levels);
  const at::Tensor signal_GND = each_time(pairs.x_BD).contiguous();
  const at::Tensor interpolated_GND = model.interpolant().mix(t_G, signal_GND, each_time(pairs.y_BD).contiguous(), noise_GND);
  DriftModel::Context context;
  const at::Tensor planes_BPS = model.encoder().planes_BPS(pairs.visible), conditions_BC = model.encoder().conditions_BC(pairs.visible);
  if (planes_BPS.defined()) context.planes_BPS = planes_BPS.repeat({groups, 1, 1});
  if (conditions_BC.defined()) context.conditions_BC = conditions_BC.repeat({groups, 1});
  const DriftModel::Prediction prediction = model.predict(network, level_G, interpolated_GND, context);
  if (noise_GND.defined() && model.settings().space == "basis") noise_GND = noise_GND.matmul(model.bridge()->model().basis_DR);
  return model.loss(prediction, level_G, model.encode(signal_GND), noise_GND, {}).item<double>();
}

}  // namespace

double pair_loss(const DriftModel& model, Network& network, const Channel& channel, const ObservationBatch& rows, const Integration& how,
                 RandomKey key) {
  const at::NoGradGuard no_grad;
  const at::Tensor ids_B = rows.row_numbers();
  const at::Tensor restored_BD = model.transport(network, rows.lifted_BD, visible_latents(channel, rows.latents), how,
                                                 key.derive(Purpose::kTransportNoise), ids_B);
  const FailureWatch watch(channel);
  Latents used;
  const at::Tensor simulated_BD = simulate_with_sources(channel, restored_BD, rows.latents, rows.latents, key, ids_B, &used);
  const at::Tensor weight_B = both_weights(rows.weight_B, watch.weight_B(restored_BD.size(0)));
  Pairs pairs{valid_rows(restored_BD, weight_B), valid_rows(simulated_BD, weight_B), {}};
  for (const auto& [name, values] : visible_latents(channel, used)) pairs.visible.emplace(name, valid_rows(values, weight_B));
  return loss_of(model, network, pairs, key);
}

}  // namespace unchannel
