#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

#include <unchannel/base/config.hpp>

#include "network.hpp"

namespace unchannel {

/// Adam with warm-up, cosine decay, clipping and an exponential moving average of the weights.
struct OptimiserSettings {
  double learning_rate = 5e-4;
  double final_learning_rate_share = 0.1;
  double warm_up_share = 0.05;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double clip_norm = 1.0;
  double ema_horizon_steps = 100.0;

  void visit(SettingsVisitor& visitor);
};

/// Learning rate of `step` (0-based) of `total`: linear warm-up over warm_up_share, then a cosine down to the final share.
double learning_rate_at(const OptimiserSettings& settings, std::int64_t step, std::int64_t total);

/// How the weights are updated: loops of our own in the processor's memory, the tensor library's fused operations on any device.
enum class UpdateBy { kKernel, kTensorLibrary };

/// Adam over the parameters of a network, with the EMA copy that serves as teacher. Weights are float32; in the processor's memory both are done
/// in one pass, elsewhere by the tensor library.
class Optimiser {
 public:
  Optimiser(const OptimiserSettings& settings, Network& student, Network& ema);
  /// The same with the way chosen; kKernel needs weights in the processor's memory.
  Optimiser(const OptimiserSettings& settings, Network& student, Network& ema, UpdateBy by);

  /// Applies the accumulated gradients: clip to the norm, Adam, EMA, clear. Returns the gradient norm before clipping.
  /// Throws NumericalError when the norm is not finite; weights are then unchanged.
  double step(std::int64_t step, std::int64_t total);

  /// First and second moments in parameter order, for checkpoints.
  std::vector<at::Tensor>& first_moments() { return first_; }
  std::vector<at::Tensor>& second_moments() { return second_; }
  const std::vector<at::Tensor>& first_moments() const { return first_; }
  const std::vector<at::Tensor>& second_moments() const { return second_; }
  /// Number of updates that entered the moments.
  void set_updates(std::int64_t updates) { updates_ = updates; }

 private:
  double norm_of_all(const std::vector<at::Tensor>& gradients) const;
  void update(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients);
  void update_by_kernel(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients);
  void update_by_library(double gradient_scale, double learning_rate, double average_share, const std::vector<at::Tensor>& gradients);

  OptimiserSettings settings_;
  UpdateBy by_;
  std::vector<at::Tensor> parameters_, ema_, first_, second_;
  std::int64_t updates_ = 0;
};

}  // namespace unchannel
