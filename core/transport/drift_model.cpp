#include "drift_model.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <span>

#include <unchannel/base/error.hpp>
#include <unchannel/nn/autocast.hpp>

namespace unchannel {

DriftModel::DriftModel(const ModelSettings& settings, const Interpolant& interpolant, std::optional<GaussianBridge> bridge,
                       Normalisation normalisation, ConditionEncoder encoder, std::vector<std::int64_t> signal_shape)
    : settings_(settings),
      interpolant_(interpolant),
      bridge_(std::move(bridge)),
      normalisation_(std::move(normalisation)),
      encoder_(std::move(encoder)),
      signal_shape_(std::move(signal_shape)) {
  check<ConfigError>(!in_basis() || bridge_.has_value(),
                     "model.space = \"basis\" needs a fitted Gaussian; set start.kind = \"linear\" or model.space = \"elements\".");
  check<ConfigError>(!in_basis() || settings.family == "mlp",
                     "model.family = \"{}\" needs neighbouring elements; set model.space = \"elements\".", settings.family);
  check<ConfigError>(!in_basis() || encoder_.planes() == 0,
                     "model.space = \"basis\" cannot use visible latents with a value for each place of the signal; set model.space = \"elements\".");
}

std::unique_ptr<Network> DriftModel::make_network(RandomKey key) const {
  NetworkShape shape;
  shape.dimension = in_basis() ? bridge_->model().rank() : normalisation_.mean_D.size(0);
  if (!in_basis()) shape.extents = signal_shape_;
  shape.planes = encoder_.planes();
  shape.conditions = encoder_.conditions() + (bridge_ ? 1 : 0);
  shape.outputs = interpolant_.learns_denoiser() ? 2 : 1;
  return unchannel::make_network(settings_, shape, key);
}

DriftModel::Prediction DriftModel::predict(Network& network, const at::Tensor& level_G, const at::Tensor& interpolated_GND,
                                           const Context& context) const {
  const std::int64_t groups = interpolated_GND.size(0), samples = interpolated_GND.size(1);
  const at::Tensor t_G = level_G.to(at::kFloat) / static_cast<double>(interpolant_.levels());
  NetworkInput input;
  input.t_B = t_G.unsqueeze(1).expand({groups, samples}).reshape({-1});
  input.planes_BPS = context.planes_BPS;
  input.conditions_BC = context.conditions_BC;
  input.training = context.training;
  input.dropout_key = context.dropout_key;
  input.ids_B = context.ids_B;
  input.member_B = context.member_B;
  GaussianBridge::Features features;
  if (bridge_) {
    features = bridge_->evaluate(level_G, interpolated_GND);
    const at::Tensor level_B1 = features.log_level_GN.reshape({-1, 1});
    input.conditions_BC = input.conditions_BC.defined() ? at::cat({input.conditions_BC, level_B1}, 1) : level_B1;
  }
  input.x_BD = in_basis() ? features.whitened_GNR.flatten(0, 1)
                          : (interpolated_GND - normalisation_.mean_D).div_(normalisation_.scale).flatten(0, 1);
  at::Tensor out_BKQ;
  {
    const AutocastGuard autocast(settings_.precision == "bfloat16");
    out_BKQ = network.forward(input);
  }
  const at::Tensor out_GNQ = out_BKQ.select(1, 0).unflatten(0, {groups, samples});
  Prediction prediction;
  if (in_basis()) {
    const at::Tensor scale_G1R = bridge_->residual_scale_LR().index_select(0, level_G - 1).unsqueeze(1);
    prediction.signal_GNQ = features.signal_GNR + scale_G1R * out_GNQ;
  } else if (bridge_) {
    const at::Tensor trace_G11 = bridge_->residual_trace_L().index_select(0, level_G - 1).view({-1, 1, 1});
    const at::Tensor scale_G11 = (trace_G11 / static_cast<double>(normalisation_.mean_D.size(0))).sqrt();
    prediction.signal_GNQ = bridge_->decode(features.signal_GNR) + scale_G11 * out_GNQ;
  } else {
    prediction.signal_GNQ = without_corruption(level_G, interpolated_GND, out_GNQ);
  }
  if (interpolant_.learns_denoiser()) {
    at::Tensor noise_GNQ = out_BKQ.select(1, 1).unflatten(0, {groups, samples});
    if (bridge_) noise_GNQ = noise_GNQ + (in_basis() ? features.noise_GNR : features.noise_GNR.matmul(bridge_->model().basis_DR.t()));
    prediction.noise_GNQ = noise_GNQ;
  }
  return prediction;
}

at::Tensor DriftModel::corruption(const at::Tensor& level_G) const {
  std::vector<float> values;
  for (const std::int64_t level : std::span(level_G.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(level_G.numel()))) {
    values.push_back(static_cast<float>(interpolant_.corruption(interpolant_.time_of(level))));
  }
  return at::tensor(values).mul_(normalisation_.scale);
}

at::Tensor DriftModel::without_corruption(const at::Tensor& level_G, const at::Tensor& interpolated_GND, const at::Tensor& out_GND) const {
  std::vector<float> weights;
  for (const std::int64_t level : std::span(level_G.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(level_G.numel()))) {
    const Schedule s = interpolant_.at(interpolant_.time_of(level));
    weights.push_back(static_cast<float>(1.0 / (s.alpha + s.beta)));
  }
  return interpolated_GND * at::tensor(weights).view({-1, 1, 1}) - corruption(level_G).view({-1, 1, 1}) * out_GND;
}

at::Tensor DriftModel::encode(const at::Tensor& signal) const { return in_basis() ? bridge_->encode(signal) : signal; }

at::Tensor DriftModel::decode(const at::Tensor& coordinates) const { return in_basis() ? bridge_->decode(coordinates) : coordinates; }

at::Tensor DriftModel::within_range(const at::Tensor& signals) const {
  const double low = settings_.signal_min, high = settings_.signal_max;
  return std::isinf(low) && std::isinf(high) ? signals : signals.clamp(low, high);
}

at::Tensor DriftModel::loss(const Prediction& prediction, const at::Tensor& level_G, const at::Tensor& signal_GNQ,
                            const at::Tensor& noise_GNQ, const at::Tensor& weight_GN) const {
  at::Tensor weight_G;
  if (bridge_) {
    weight_G = bridge_->residual_trace_L().index_select(0, level_G - 1).reciprocal();
  } else {
    weight_G = corruption(level_G).square().mul(static_cast<double>(normalisation_.mean_D.size(0))).reciprocal();
  }
  at::Tensor error_GN = (prediction.signal_GNQ - signal_GNQ).square().sum(2) * weight_G.unsqueeze(1);
  if (prediction.noise_GNQ.defined()) error_GN = error_GN + (prediction.noise_GNQ - noise_GNQ).square().mean(2);
  if (weight_GN.defined()) error_GN = error_GN * weight_GN;
  return error_GN.mean();
}

at::Tensor DriftModel::decode_noise(std::int64_t level, const at::Tensor& interpolated_ND, const at::Tensor& noise_NQ) const {
  if (!in_basis()) return noise_NQ;
  const GaussianModel& model = bridge_->model();
  const at::Tensor centred_ND = interpolated_ND - model.mean_D;
  const at::Tensor outside_ND = centred_ND - centred_ND.matmul(model.basis_DR).matmul(model.basis_DR.t());
  const auto dimensions = static_cast<double>(std::max<std::int64_t>(1, model.dimension() - model.rank()));
  const double gamma = interpolant_.at(interpolant_.time_of(level)).gamma;
  const at::Tensor white_N1 = (outside_ND.square().sum(1, true) / dimensions).clamp_min(1e-12);
  return noise_NQ.matmul(model.basis_DR.t()) + gamma * outside_ND / white_N1;
}

SdeTerms DriftModel::terms(std::int64_t level, const at::Tensor& x_ND, const Prediction& prediction) const {
  const double t = interpolant_.time_of(level);
  at::Tensor noise_ND;
  if (prediction.noise_GNQ.defined()) noise_ND = decode_noise(level, x_ND, prediction.noise_GNQ.flatten(0, 1));
  // A conditional mean of signals in a range lies in it, too: what the network predicts outside is its error.
  const at::Tensor signal_ND = within_range(decode(prediction.signal_GNQ.flatten(0, 1)));
  SdeTerms result;
  result.drift_ND = interpolant_.drift(t, x_ND, signal_ND, noise_ND);
  if (interpolant_.stochastic()) result.negative_score_ND = interpolant_.negative_score(t, x_ND, signal_ND, noise_ND);
  return result;
}

at::Tensor DriftModel::row_drift(Network& network, const at::Tensor& level_N, const at::Tensor& x_ND, const Context& context) const {
  const Prediction together = predict(network, level_N, x_ND.unsqueeze(1), context);
  at::Tensor drift_ND = at::empty_like(x_ND);
  for (const at::Tensor& level : std::get<0>(at::_unique(level_N)).unbind()) {
    const at::Tensor rows = level_N.eq(level).nonzero().squeeze(1);
    Prediction own{together.signal_GNQ.index_select(0, rows), {}};
    if (together.noise_GNQ.defined()) own.noise_GNQ = together.noise_GNQ.index_select(0, rows);
    drift_ND.index_copy_(0, rows, terms(level.item<std::int64_t>(), x_ND.index_select(0, rows), own).drift_ND);
  }
  return drift_ND;
}

at::Tensor DriftModel::transport_batch(Network& network, const at::Tensor& y_ND, const Context& context, const Integration& how, RandomKey key,
                                       const at::Tensor& ids_N) const {
  const auto at_time = [&](double t, const at::Tensor& x_ND) {
    const auto level = static_cast<std::int64_t>(std::llround(t * static_cast<double>(interpolant_.levels())));
    return terms(level, x_ND, predict(network, at::full({1}, level, at::kLong), x_ND.unsqueeze(0), context));
  };
  if (interpolant_.stochastic()) {
    return integrate_sde(at_time, y_ND, [&](double t) { return interpolant_.epsilon(t); }, how.solver, how.steps, key, ids_N);
  }
  return integrate_ode([&](double t, const at::Tensor& x_ND) { return at_time(t, x_ND).drift_ND; }, y_ND, how.solver, how.steps);
}

at::Tensor DriftModel::transport_adaptive(Network& network, const at::Tensor& y_ND, const Context& context, double tolerance) const {
  // Rows drop out as they arrive: each call takes the conditions of those that are left.
  const auto drift = [&](const at::Tensor& level_A, const at::Tensor& x_AD, const at::Tensor& row_A) {
    Context own = context;
    if (context.planes_BPS.defined()) own.planes_BPS = context.planes_BPS.index_select(0, row_A);
    if (context.conditions_BC.defined()) own.conditions_BC = context.conditions_BC.index_select(0, row_A);
    if (context.member_B.defined()) own.member_B = context.member_B.index_select(0, row_A);
    return row_drift(network, level_A, x_AD, own);
  };
  return integrate_adaptive(drift, y_ND, interpolant_.levels(), tolerance, normalisation_.scale);
}

at::Tensor DriftModel::transport(Network& network, const at::Tensor& y_ND, const std::map<std::string, at::Tensor>& visible,
                                 const Integration& how, RandomKey key, const at::Tensor& ids_N, const at::Tensor& member_N) const {
  const at::NoGradGuard no_grad;
  check<ConfigError>(how.solver == "adaptive" || interpolant_.levels() % how.grid(interpolant_.stochastic()) == 0,
                     "transport: {} steps of solver '{}' need times that are multiples of 1/{}, which interpolant.time_levels = {} does "
                     "not have. Choose a divisor.",
                     how.steps, how.solver, how.grid(interpolant_.stochastic()), interpolant_.levels());
  const at::Tensor planes_BPS = encoder_.planes_BPS(visible), conditions_BC = encoder_.conditions_BC(visible);
  std::vector<at::Tensor> parts;
  for (std::int64_t begin = 0; begin < y_ND.size(0); begin += how.batch) {
    const std::int64_t end = std::min(y_ND.size(0), begin + how.batch);
    Context context;
    if (planes_BPS.defined()) context.planes_BPS = planes_BPS.slice(0, begin, end);
    if (conditions_BC.defined()) context.conditions_BC = conditions_BC.slice(0, begin, end);
    if (member_N.defined()) context.member_B = member_N.slice(0, begin, end);
    const at::Tensor part_ND = y_ND.slice(0, begin, end);
    parts.push_back(how.solver == "adaptive" ? transport_adaptive(network, part_ND, context, how.tolerance)
                                             : transport_batch(network, part_ND, context, how, key, ids_N.slice(0, begin, end)));
  }
  return parts.empty() ? at::empty_like(y_ND) : within_range(at::cat(parts, 0));
}

}  // namespace unchannel
