#include "work.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <time.h>

#include <cmath>
#include <functional>

#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/flops.hpp>
#include <unchannel/nn/packed_layers.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/transport/solver.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kHeunSteps = 8;
constexpr std::int64_t kMiddleStep = 500;  // of kTotalSteps: the learning rate of a running training, and an EMA of full horizon
constexpr std::int64_t kTotalSteps = 1000;

double seconds_of(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

Cost measure(const std::function<void()>& run) {
  const double elapsed_s = seconds_of(CLOCK_MONOTONIC), cpu_s = seconds_of(CLOCK_PROCESS_CPUTIME_ID);
  run();
  return {seconds_of(CLOCK_MONOTONIC) - elapsed_s, seconds_of(CLOCK_PROCESS_CPUTIME_ID) - cpu_s};
}

/// Weights that start at zero get values, so that outputs depend on inputs and are worth comparing.
void wake(Network& network) {
  const at::NoGradGuard no_grad;
  for (auto& [name, tensor] : network.parameters()) {
    if (name.find("zero") == std::string::npos || tensor.dim() < 2) continue;
    const double fan_in = static_cast<double>(tensor.numel()) / static_cast<double>(tensor.size(0));
    at::Tensor(tensor).copy_(at::randn(tensor.sizes()).div_(std::sqrt(fan_in)));
  }
}

}  // namespace

Work::Work(ThroughputCase what) : what_(std::move(what)) {
  at::manual_seed(1);
  student_ = make_network(what_.model, what_.shape, RandomKey(1));
  ema_ = make_network(what_.model, what_.shape, RandomKey(1));
  wake(*student_);
  copy_parameters(*student_, *ema_);
  for (auto& [name, tensor] : student_->parameters()) at::Tensor(tensor).set_requires_grad(true);
  optimiser_ = std::make_unique<Optimiser>(OptimiserSettings{}, *student_, *ema_);
  x_BD_ = at::randn({what_.batch, what_.shape.dimension});
  t_B_ = at::rand({what_.batch});
  target_BD_ = at::randn({what_.batch, what_.shape.dimension});
}

nlohmann::json Work::description() {
  const at::NoGradGuard no_grad;
  const double flops = count_flops([&] { output_BD(*student_, x_BD_, t_B_, false); });
  const ModelSettings& model = what_.model;
  return {{"case", what_.name}, {"family", model.family}, {"dimension", what_.shape.dimension}, {"extents", what_.shape.extents},
          {"batch", what_.batch}, {"width", model.width}, {"depth", model.depth}, {"multipliers", model.multipliers},
          {"blocks_per_level", model.blocks_per_level}, {"attention", model.attention}, {"head_planes", model.head_planes},
          {"max_position", model.max_position}, {"parameters", student_->parameter_count()}, {"forward_flops", flops}};
}

at::Tensor Work::output_BD(Network& network, const at::Tensor& x_BD, const at::Tensor& t_B, bool bfloat16) const {
  NetworkInput input;
  input.x_BD = x_BD;
  input.t_B = t_B;
  const AutocastGuard autocast(bfloat16);
  return network.forward(input).select(1, 0);
}

void Work::store(const std::filesystem::path& path) {
  const at::NoGradGuard no_grad;
  TensorFile file;
  for (const auto& [name, tensor] : student_->parameters()) file.tensors["weights." + name] = tensor.detach().contiguous();
  file.tensors["x"] = x_BD_;
  file.tensors["t"] = t_B_;
  file.tensors["target"] = target_BD_;
  file.tensors["output"] = output_BD(*student_, x_BD_, t_B_, false).contiguous();
  write_tensor_file(path, file);
}

Cost Work::step(bool bfloat16) {
  return measure([&] {
    const at::Tensor loss = at::mse_loss(output_BD(*student_, x_BD_, t_B_, bfloat16), target_BD_);
    loss.item<double>();
    loss.backward();
    optimiser_->step(kMiddleStep, kTotalSteps);
  });
}

Cost Work::transport(bool bfloat16) {
  const at::NoGradGuard no_grad;
  const auto drift = [&](double t, const at::Tensor& x_BD) { return output_BD(*ema_, x_BD, at::full({what_.batch}, t), bfloat16); };
  return measure([&] { integrate_ode(drift, x_BD_, "heun", kHeunSteps); });
}

Cost matrix_product(std::int64_t size, bool bfloat16) {
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(bfloat16);
  const at::Tensor a = at::ones({size, size}, bfloat16 ? at::kBFloat16 : at::kFloat), b = at::ones_like(a);
  PackedLinear layer(size, size);
  layer->forward(a);  // packs
  const Cost plain = measure([&] { at::matmul(a, b); }), packed = measure([&] { layer->forward(a); });
  return plain.cpu_s < packed.cpu_s ? plain : packed;
}

}  // namespace unchannel
