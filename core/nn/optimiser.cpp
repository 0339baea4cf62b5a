#include "optimiser.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include <unchannel/base/error.hpp>

#include "weight_kernel.hpp"

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

namespace {

constexpr std::int64_t kWeightsPerTask = 1 << 16;
constexpr double kEpsilon = 1e-8;

/// The gradient with its values in the order in which the parameter's stand in memory.
at::Tensor in_layout_of(const at::Tensor& parameter, const at::Tensor& gradient) {
  bool same = true;
  for (std::int64_t axis = 0; axis < parameter.dim(); ++axis) {
    same = same && (parameter.size(axis) == 1 || gradient.stride(axis) == parameter.stride(axis));
  }
  return same ? gradient : at::empty_like(parameter).copy_(gradient);
}

/// Norm of all together, by sums that do not depend on the number of threads.
double norm_of(const std::vector<at::Tensor>& gradients) {
  double total = 0.0;
  for (const at::Tensor& gradient : gradients) {
    const std::int64_t count = gradient.numel(), tasks = (count + kWeightsPerTask - 1) / kWeightsPerTask;
    std::vector<double> squares(static_cast<std::size_t>(tasks));
    at::parallel_for(0, tasks, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t start = task * kWeightsPerTask;
        squares[static_cast<std::size_t>(task)] =
            weight_kernel().squares(std::min(kWeightsPerTask, count - start), gradient.const_data_ptr<float>() + start);
      }
    });
    total += std::accumulate(squares.begin(), squares.end(), 0.0);
  }
  return std::sqrt(total);
}

}  // namespace

Optimiser::Optimiser(const OptimiserSettings& settings, Network& student, Network& ema)
    : Optimiser(settings, student, ema, student.parameters().front().second.is_cpu() ? UpdateBy::kKernel : UpdateBy::kTensorLibrary) {}

Optimiser::Optimiser(const OptimiserSettings& settings, Network& student, Network& ema, UpdateBy by) : settings_(settings), by_(by) {
  for (const auto& [name, tensor] : student.parameters()) {
    parameters_.push_back(tensor);
    first_.push_back(at::zeros_like(tensor));
    second_.push_back(at::zeros_like(tensor));
  }
  for (const auto& [name, tensor] : ema.parameters()) ema_.push_back(tensor);
}

double Optimiser::step(std::int64_t step, std::int64_t total) {
  at::NoGradGuard no_grad;
  std::vector<at::Tensor> gradients;
  for (const at::Tensor& parameter : parameters_) {
    gradients.push_back(parameter.grad().defined() ? in_layout_of(parameter, parameter.grad()) : at::zeros_like(parameter));
  }
  const double norm = norm_of_all(gradients);
  check<NumericalError>(std::isfinite(norm), "step {}: the gradient is not finite. Lower optimiser.learning_rate or use float32.", step);
  const double scale = settings_.clip_norm > 0.0 && norm > settings_.clip_norm ? settings_.clip_norm / norm : 1.0;
  // A young average would be dominated by the starting weights: its horizon grows with the steps done.
  const double horizon = std::min(settings_.ema_horizon_steps, 1.0 + 0.5 * static_cast<double>(step));
  update(scale, learning_rate_at(settings_, step, total), 1.0 / horizon, gradients);
  for (at::Tensor& parameter : parameters_) parameter.mutable_grad().reset();
  return norm;
}

double Optimiser::norm_of_all(const std::vector<at::Tensor>& gradients) const {
  if (by_ == UpdateBy::kKernel) return norm_of(gradients);
  return at::stack(at::_foreach_norm(gradients, 2, at::kDouble)).norm().item<double>();
}

void Optimiser::update(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients) {
  ++updates_;
  by_ == UpdateBy::kKernel ? update_by_kernel(gradient_scale, learning_rate, average_share, gradients)
                           : update_by_library(gradient_scale, learning_rate, average_share, gradients);
}

void Optimiser::update_by_library(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients) {
  const std::vector<at::Tensor> scaled = at::_foreach_mul(gradients, gradient_scale);
  const at::Tensor done = at::full({}, static_cast<double>(updates_), parameters_.front().options());
  at::_fused_adam_(parameters_, scaled, first_, second_, /*max_exp_avg_sqs=*/{}, std::vector<at::Tensor>(parameters_.size(), done), learning_rate,
                   settings_.beta1, settings_.beta2, /*weight_decay=*/0.0, kEpsilon, /*amsgrad=*/false, /*maximize=*/false);
  at::_foreach_lerp_(ema_, parameters_, average_share);
}

void Optimiser::update_by_kernel(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients) {
  const auto done = static_cast<double>(updates_);
  const AdamConstants constants = {.gradient_scale = static_cast<float>(gradient_scale),
                                   .beta1 = static_cast<float>(settings_.beta1),
                                   .beta2 = static_cast<float>(settings_.beta2),
                                   .share1 = static_cast<float>(1.0 - settings_.beta1),
                                   .share2 = static_cast<float>(1.0 - settings_.beta2),
                                   .rate = static_cast<float>(learning_rate / (1.0 - std::pow(settings_.beta1, done))),
                                   .root_correction = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(settings_.beta2, done))),
                                   .epsilon = static_cast<float>(kEpsilon),
                                   .average_share = static_cast<float>(average_share)};
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const float* gradient = gradients[i].const_data_ptr<float>();
    float *weight = parameters_[i].mutable_data_ptr<float>(), *average = ema_[i].mutable_data_ptr<float>();
    float *first = first_[i].mutable_data_ptr<float>(), *second = second_[i].mutable_data_ptr<float>();
    at::parallel_for(0, parameters_[i].numel(), kWeightsPerTask, [&](std::int64_t begin, std::int64_t end) {
      weight_kernel().adam(end - begin, constants, gradient + begin, weight + begin, first + begin, second + begin, average + begin);
    });
    // Otherwise packed copies of the weights would be taken for current ones.
    for (const at::Tensor& changed : {parameters_[i], ema_[i]}) changed.unsafeGetTensorImpl()->bump_version();
  }
}

}  // namespace unchannel
