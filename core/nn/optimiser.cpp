#include "optimiser.hpp"

#include <ATen/ATen.h>

#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel {

void OptimiserSettings::visit(SettingsVisitor& visitor) {
  visitor.number({"learning_rate", "Highest learning rate of Adam."}, learning_rate, 0.0, 1.0);
  visitor.number({"final_learning_rate_share", "Learning rate at the end, as a share of the highest (cosine)."}, final_learning_rate_share,
                 0.0, 1.0);
  visitor.number({"warm_up_share", "Share of all steps over which the learning rate rises linearly."}, warm_up_share, 0.0, 1.0);
  visitor.number({"beta1", "Adam's decay of the first moment."}, beta1, 0.0, 0.9999);
  visitor.number({"beta2", "Adam's decay of the second moment."}, beta2, 0.0, 0.99999);
  visitor.number({"clip_norm", "Gradients are scaled down to this norm; 0 switches clipping off."}, clip_norm, 0.0, 1e9);
  visitor.number({"ema_horizon_steps", "Averaging horizon of the teacher's weights; the decay is 1 - 1/horizon.", "steps"},
                 ema_horizon_steps, 1.0, 1e9);
}

double learning_rate_at(const OptimiserSettings& settings, std::int64_t step, std::int64_t total) {
  const double warm_up = settings.warm_up_share * static_cast<double>(total);
  const auto position = static_cast<double>(step);
  if (position < warm_up) return settings.learning_rate * (position + 1.0) / (warm_up + 1.0);
  const double share = (position - warm_up) / std::max(1.0, static_cast<double>(total) - warm_up);
  const double cosine = 0.5 * (1.0 + std::cos(M_PI * std::min(1.0, share)));
  return settings.learning_rate * (settings.final_learning_rate_share + (1.0 - settings.final_learning_rate_share) * cosine);
}

Optimiser::Optimiser(const OptimiserSettings& settings, Network& student, Network& ema) : settings_(settings) {
  for (const auto& [name, tensor] : student.parameters()) {
    parameters_.push_back(tensor);
    first_.push_back(at::zeros_like(tensor));
    second_.push_back(at::zeros_like(tensor));
    updates_.push_back(at::zeros({}, at::kFloat));
  }
  for (const auto& [name, tensor] : ema.parameters()) ema_.push_back(tensor);
}

void Optimiser::set_updates(std::int64_t updates) {
  for (at::Tensor& counter : updates_) counter.fill_(static_cast<double>(updates));
}

double Optimiser::step(std::int64_t step, std::int64_t total) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    gradients.push_back(parameter.grad().defined() ? parameter.grad() : at::zeros_like(parameter));
  }
  const std::vector<at::Tensor> norms = at::_foreach_norm(gradients);
  const double norm = at::stack(norms).norm().item<double>();
  check<NumericalError>(std::isfinite(norm), "step {}: the gradient is not finite. Lower optimiser.learning_rate or use float32.", step);
  if (settings_.clip_norm > 0.0 && norm > settings_.clip_norm) at::_foreach_mul_(gradients, settings_.clip_norm / norm);
  at::_foreach_add_(updates_, 1.0);
  at::_fused_adam_(parameters_, gradients, first_, second_, unused_, updates_, learning_rate_at(settings_, step, total), settings_.beta1,
                   settings_.beta2, /*weight_decay=*/0.0, /*eps=*/1e-8, /*amsgrad=*/false, /*maximize=*/false);
  // The fused operation does not count as a change, and packed copies of the weights would be taken for current ones.
  for (const at::Tensor& parameter : parameters_) parameter.unsafeGetTensorImpl()->bump_version();
  // A young average would be dominated by the starting weights: its horizon grows with the steps done.
  const double horizon = std::min(settings_.ema_horizon_steps, 1.0 + 0.5 * static_cast<double>(step));
  at::_foreach_lerp_(ema_, parameters_, 1.0 / horizon);
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
  return norm;
}

}  // namespace unchannel
