#include "guided_sampling.hpp"

#include <ATen/core/grad_mode.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/transport/solver.hpp>
#include <utility>

#include "tensor_ops.hpp"

namespace unchannel::baselines {
namespace {

constexpr double kAffineTolerance = 1e-4;  // float32 sums of a few thousand products

at::Tensor norm_B1(const at::Tensor& r_BM) { return r_BM.square().sum({1}, true, at::kDouble).sqrt().to(at::kFloat); }

}  // namespace

ConditionalMean conditional_mean(const DriftModel& model, Network& network) {
  check<ConfigError>(model.interpolant().settings().kind == "linear" && !model.interpolant().draws_noise(),
                     "baselines: guided sampling needs a generator with interpolant.kind = \"linear\" and gamma = \"none\".");
  check<ConfigError>(model.encoder().entries().empty(), "baselines: guided sampling needs a generator without visible latents.");
  for (auto& [name, tensor] : network.parameters()) at::Tensor(tensor).set_requires_grad(false);
  return [&model, &network](double t, const at::Tensor& x_BD) {
    const auto level = static_cast<std::int64_t>(std::llround(t * static_cast<double>(model.interpolant().levels())));
    const DriftModel::Prediction prediction = model.predict(network, at::full({1}, level, at::kLong), x_BD.unsqueeze(0), {});
    return model.decode(prediction.signal_GNQ.squeeze(0));
  };
}

LinearisedMean::LinearisedMean(const ConditionalMean& mean, double t, const at::Tensor& x_BD) {
  const at::AutoGradMode gradients(true);
  x_BD_ = x_BD.detach().clone().set_requires_grad(true);
  graph_BD_ = mean(t, x_BD_);
  value_BD_ = graph_BD_.detach();
}

at::Tensor LinearisedMean::transposed(const at::Tensor& v_BD) const {
  if (!graph_BD_.requires_grad()) return at::zeros_like(v_BD);  // a mean that does not depend on x_t at all
  graph_BD_.backward(v_BD, /*retain_graph=*/true, /*create_graph=*/false, at::TensorList(x_BD_));
  at::Tensor result = x_BD_.grad();
  x_BD_.mutable_grad() = at::Tensor();
  return result;
}

Measured::Measured(const Channel& channel, Latents latents, const at::Tensor& y_BM)
    : channel_(channel), latents_(std::move(latents)), y_BM_(y_BM.to(at::kFloat).contiguous()) {
  check<ConfigError>(channel.has_mean() && channel.has_vjp(),
                     "baselines: channel {} needs the capabilities 'mean' and 'vjp' for guided sampling; a black box has neither.",
                     channel.id());
  const std::int64_t B = y_BM_.size(0);
  for (const auto& [name, value] : latents_)
    check<ShapeError>(value.dim() >= 1 && value.size(0) == B, "baselines: latent '{}' must have {} rows, one for each observation.", name,
                      B);
  std::int64_t D = 1;
  for (const std::int64_t extent : channel.signal_shape()) D *= extent;
  probe_BD_ = normal_rows(RandomKey(0).derive(Purpose::kBaseline), at::arange(B, at::kLong), D);
  offset_BM_ = channel.mean(at::zeros_like(probe_BD_), latents_);
  check<ShapeError>(offset_BM_.sizes() == y_BM_.sizes(), "baselines: observations have {} elements a row; channel {} makes {}.",
                    y_BM_.size(1), channel.id(), offset_BM_.size(1));
  // Exact equality: an element that the signal does not reach is computed from the same numbers both times.
  counts_BM_ = channel.mean(probe_BD_, latents_).ne(channel.mean(-probe_BD_, latents_)).to(at::kFloat);
}

at::Tensor Measured::residual(const at::Tensor& x_BD) const { return (y_BM_ - channel_.mean(x_BD.contiguous(), latents_)) * counts_BM_; }

at::Tensor Measured::transposed(const at::Tensor& x_BD, const at::Tensor& v_BM) const {
  return channel_.vjp(x_BD.contiguous(), latents_, v_BM.contiguous());
}

at::Tensor Measured::linear_part(const at::Tensor& v_BD) const { return channel_.mean(v_BD.contiguous(), latents_) - offset_BM_; }

void Measured::check_affine() const {
  const at::Tensor other_BD = probe_BD_.flip({1}) * 2.0 + 0.5;
  const at::Tensor sum_BM = linear_part(probe_BD_ + other_BD), parts_BM = linear_part(probe_BD_) + linear_part(other_BD);
  const double scale = std::max(parts_BM.abs().max().item<double>(), offset_BM_.abs().max().item<double>());
  check<ConfigError>((sum_BM - parts_BM).abs().max().item<double>() <= kAffineTolerance * scale,
                     "baselines: moment matching needs a mean that is affine in the signal; that of channel {} is not. Use dps.",
                     channel_.id());
}

at::Tensor misfit_gradient(const LinearisedMean& mean, const Measured& measured, const std::string& form) {
  check<ConfigError>(form == "squared" || form == "norm", "baselines: form '{}' is unknown; it is \"squared\" or \"norm\".", form);
  const at::Tensor residual_BM = measured.residual(mean.value_BD());
  const at::Tensor back_BD = measured.transposed(mean.value_BD(), residual_BM);
  if (form == "squared") return mean.transposed(-2.0 * back_BD);
  return mean.transposed(-back_BD / norm_B1(residual_BM).clamp_min(std::numeric_limits<float>::min()));
}

at::Tensor sample_dps(const ConditionalMean& mean, const Measured& measured, const DpsOptions& options, RandomKey key,
                      const at::Tensor& ids_B) {
  check<ConfigError>(options.guidance >= 0 && std::isfinite(options.guidance),
                     "baselines: the guidance must be finite and 0 or more, not {}.", options.guidance);
  check<ConfigError>(options.steps >= 1, "baselines: there must be at least one step.");
  const at::NoGradGuard no_grad;
  const std::int64_t D = measured.signal_size();
  at::Tensor x_BD = normal_rows(key.derive(std::uint64_t{0}), ids_B, D);
  for (std::int64_t i = options.steps; i > 0; --i) {
    const double t = static_cast<double>(i) / static_cast<double>(options.steps);
    const double s = static_cast<double>(i - 1) / static_cast<double>(options.steps);
    at::Tensor mean_BD, push_BD;
    if (options.guidance > 0) {
      const LinearisedMean linearised(mean, t, x_BD);
      mean_BD = linearised.value_BD();
      push_BD = options.guidance * misfit_gradient(linearised, measured, options.form);
    } else {
      mean_BD = mean(t, x_BD);
    }
    // p(x_s | x_t, x) with x̂ in the place of x: docs/theory/guided_sampling.md, eq. 4. Both coefficients exist at t = 1.
    const double keep = s * s * (1.0 - t) / (t * t * (1.0 - s));
    const double forget = 1.0 - keep * (1.0 - t) / (1.0 - s);
    x_BD = keep * x_BD + ((1.0 - s) * forget) * mean_BD;
    if (i > 1) x_BD += (s * std::sqrt(forget)) * normal_rows(key.derive(static_cast<std::uint64_t>(i)), ids_B, D);
    if (push_BD.defined()) x_BD -= push_BD;
  }
  return x_BD;
}

TunedGuidance tune_guidance(const std::vector<double>& grid, const at::Tensor& truth_BD, const std::function<at::Tensor(double)>& draw) {
  TunedGuidance best;
  best.rmse = std::numeric_limits<double>::infinity();
  for (const double guidance : grid) {
    const double rmse = std::sqrt((draw(guidance).to(at::kDouble) - truth_BD).square().mean().item<double>());
    best.tried_rmse.push_back(rmse);
    if (!(rmse < best.rmse)) continue;  // NaN, too
    best.rmse = rmse;
    best.guidance = guidance;
  }
  check<NumericalError>(std::isfinite(best.rmse), "baselines: no guidance of the grid gives finite samples; try smaller ones.");
  return best;
}

}  // namespace unchannel::baselines
