#include "conditional_model.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <unchannel/nn/autocast.hpp>
#include <unchannel/scsi/trained_model.hpp>

namespace unchannel {
namespace {

constexpr double kQuarterTurn = M_PI_2;

bool is_bounded(const ModelSettings& settings) { return std::isfinite(settings.signal_min) || std::isfinite(settings.signal_max); }

}  // namespace

Evidence Evidence::rows(const at::Tensor& index_B) const {
  Evidence part = *this;
  for (at::Tensor* tensor : {&part.lifted_BD, &part.centre_BQ, &part.planes_BPS, &part.conditions_BC}) {
    if (tensor->defined()) *tensor = tensor->index_select(0, index_B);
  }
  return part;
}

InterpolantSettings frame_path() {
  InterpolantSettings settings;
  settings.kind = "linear";
  settings.time_levels = 1;
  return settings;
}

at::Tensor guide_deviation(const DriftModel& frame, const at::Tensor& x_BD, const at::Tensor& guide_BD) {
  const at::Tensor error_BQ = frame.encode(x_BD) - frame.encode(guide_BD);
  // Elements count alike: a pixel that the channel leaves as it is differs from object to object.
  const at::Tensor mean_Q = frame.bridge() ? error_BQ.square().mean(0) : error_BQ.square().mean().expand({error_BQ.size(1)});
  const at::Tensor deviation_Q = mean_Q.sqrt();
  return deviation_Q.clamp_min(std::max(1e-12, 1e-3 * deviation_Q.max().item<double>())).contiguous();
}

ConditionalModel::ConditionalModel(DriftModel frame, Normalisation observations, at::Tensor deviation_Q)
    : frame_(std::move(frame)), observations_(std::move(observations)), deviation_Q_(std::move(deviation_Q)) {
  if (!frame_.bridge()) return;
  gaussian_.emplace(frame_.bridge()->model());
  stretch_Q_ = deviation_Q_ / frame_.bridge()->residual_scale_LR()[0];
}

std::unique_ptr<Network> ConditionalModel::make_network(RandomKey key) const {
  NetworkShape shape;
  shape.dimension = deviation_Q_.size(0);
  shape.conditions = frame_.encoder().conditions() + (gaussian_ ? 2 * shape.dimension + 1 : 0);
  if (!gaussian_) {
    shape.extents = frame_.signal_shape();
    shape.planes = frame_.encoder().planes() + 2 * (shape.dimension / shape.plane_size());
  }
  return unchannel::make_network(settings(), shape, key);
}

Evidence ConditionalModel::evidence(const at::Tensor& lifted_BD, const std::map<std::string, at::Tensor>& visible, const at::Tensor& guide_BD) const {
  const at::NoGradGuard no_grad;
  Evidence result;
  result.lifted_BD = lifted_BD;
  result.centre_BQ = frame_.encode(guide_BD);
  result.conditions_BC = frame_.encoder().conditions_BC(visible);
  if (!gaussian_) {
    const auto planes = [&](const at::Tensor& rows_BD, const Normalisation& by) {
      return (rows_BD - by.mean_D).div_(by.scale).unflatten(1, {-1, frame_.encoder().plane_size()});
    };
    std::vector<at::Tensor> parts = {planes(lifted_BD, observations_), planes(guide_BD, frame_.normalisation())};
    if (const at::Tensor latents_BPS = frame_.encoder().planes_BPS(visible); latents_BPS.defined()) parts.push_back(latents_BPS);
    result.planes_BPS = at::cat(parts, 1);
    return result;
  }
  const GaussianBridge::Features seen = frame_.bridge()->evaluate(at::ones({1}, at::kLong), lifted_BD.unsqueeze(0));
  const at::Tensor ahead_BR = (result.centre_BQ - seen.signal_GNR[0]) / deviation_Q_;  // of what the Gaussian alone would say
  std::vector<at::Tensor> conditions = {seen.whitened_GNR[0], ahead_BR, seen.log_level_GN[0].unsqueeze(1)};
  if (result.conditions_BC.defined()) conditions.push_back(result.conditions_BC);
  result.conditions_BC = at::cat(conditions, 1);
  return result;
}

at::Tensor ConditionalModel::offsets(const at::Tensor& x_BD, const Evidence& evidence) const { return frame_.encode(x_BD) - evidence.centre_BQ; }

at::Tensor ConditionalModel::signals(const at::Tensor& offsets_BQ, const Evidence& evidence) const {
  return frame_.within_range(frame_.decode(offsets_BQ + evidence.centre_BQ));
}

at::Tensor ConditionalModel::base(const Evidence& evidence, RandomKey key, const at::Tensor& ids_B) const {
  if (!gaussian_) return normal_rows(key, ids_B, deviation_Q_.size(0)).mul_(deviation_Q_);
  const at::Tensor draw_BD = gaussian_->posterior_draw(evidence.lifted_BD, key, ids_B), mean_BD = gaussian_->posterior_mean(evidence.lifted_BD);
  return (frame_.encode(draw_BD) - frame_.encode(mean_BD)).mul_(stretch_Q_);
}

at::Tensor ConditionalModel::velocity(Network& network, const at::Tensor& t_B, const at::Tensor& place_BQ, const Evidence& evidence,
                                      const Pass& pass) const {
  NetworkInput input;
  input.x_BD = place_BQ / deviation_Q_;
  input.t_B = t_B;
  input.planes_BPS = evidence.planes_BPS;
  input.conditions_BC = evidence.conditions_BC;
  input.training = pass.training;
  input.dropout_key = pass.dropout_key;
  input.ids_B = pass.ids_B;
  input.member_B = pass.member_B;
  at::Tensor out_BKQ;
  {
    const AutocastGuard autocast(settings().precision == "bfloat16");
    out_BKQ = network.forward(input);
  }
  return out_BKQ.select(1, 0) * deviation_Q_;
}

at::Tensor ConditionalModel::loss(const at::Tensor& velocity_BQ, const at::Tensor& target_BQ, const at::Tensor& weight_B) const {
  const at::Tensor error_B = (velocity_BQ - target_BQ).square().sum(1) / deviation_Q_.square().sum();
  return weight_B.defined() ? (error_B * weight_B).mean() : error_B.mean();
}

/// The velocity whose mean of the signal, m + cos φ (I − m) − sin φ v, lies in the known range of signals.
at::Tensor ConditionalModel::bounded(const at::Tensor& velocity_BQ, double t, const at::Tensor& place_BQ, const Evidence& evidence) const {
  if (gaussian_ || !is_bounded(settings())) return velocity_BQ;
  const double c = std::cos(kQuarterTurn * t), s = std::sin(kQuarterTurn * t);
  const at::Tensor mean_BQ = signals(c * place_BQ - s * velocity_BQ, evidence) - evidence.centre_BQ;
  return (c * place_BQ - mean_BQ) / s;
}

at::Tensor ConditionalModel::draw(Network& network, const Evidence& evidence, std::int64_t steps, RandomKey key, const at::Tensor& ids_B,
                                  const at::Tensor& member_B) const {
  const at::NoGradGuard no_grad;
  Pass pass;
  pass.member_B = member_B;
  const auto drift = [&](double t, const at::Tensor& place_BQ) {
    const at::Tensor v_BQ = velocity(network, at::full({place_BQ.size(0)}, t, at::kFloat), place_BQ, evidence, pass);
    return bounded(v_BQ, t, place_BQ, evidence) * kQuarterTurn;
  };
  return signals(integrate_ode(drift, base(evidence, key, ids_B), "midpoint", steps), evidence);
}

at::Tensor ConditionalModel::mean(Network& network, const Evidence& evidence, RandomKey key, const at::Tensor& ids_B,
                                  const at::Tensor& member_B) const {
  const at::NoGradGuard no_grad;
  Pass pass;
  pass.member_B = member_B;
  return signals(-velocity(network, at::ones({evidence.size()}), base(evidence, key, ids_B), evidence, pass), evidence);
}

void ConditionalModel::store(TensorFile& file) const {
  store_model(frame_, file);
  file.tensors["observations.mean"] = observations_.mean_D;
  file.tensors["observations.scale"] = at::tensor({observations_.scale}, at::kDouble);
  file.tensors["deviation"] = deviation_Q_;
}

ConditionalModel ConditionalModel::load(const TensorFile& file, const ModelSettings& settings) {
  return ConditionalModel(load_model(file, settings, frame_path()),
                          {file.tensors.at("observations.mean"), file.tensors.at("observations.scale")[0].item<double>()}, file.tensors.at("deviation"));
}

}  // namespace unchannel
