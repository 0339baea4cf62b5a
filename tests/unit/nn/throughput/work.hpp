#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include <unchannel/nn/optimiser.hpp>

#include "cases.hpp"

// Shape legend: B batch · D data dimension
namespace unchannel {

/// Time that passed and time that processors spent.
struct Cost {
  double elapsed_s = 0.0, cpu_s = 0.0;
};

/// What training and transport do with a network, on fixed inputs.
class Work {
 public:
  explicit Work(ThroughputCase what);

  /// Architecture, batch, parameters and floating-point operations of one forward pass of the batch.
  nlohmann::json description();
  /// Weights, inputs and the float32 output, for the other side to load and to compare with.
  void store(const std::filesystem::path& path);
  /// Forward, mean squared error, backward, clipping, Adam, EMA.
  Cost step(bool bfloat16);
  /// 8 Heun steps from t = 1 to 0, the network's output as the drift: 15 network calls.
  Cost transport(bool bfloat16);

 private:
  at::Tensor output_BD(Network& network, const at::Tensor& x_BD, const at::Tensor& t_B, bool bfloat16) const;

  ThroughputCase what_;
  std::unique_ptr<Network> student_, ema_;
  std::unique_ptr<Optimiser> optimiser_;
  at::Tensor x_BD_, t_B_, target_BD_;
};

/// One product of two square matrices: by the tensor library or by the engine's layer, whichever is faster.
Cost matrix_product(std::int64_t size, bool bfloat16);

}  // namespace unchannel
