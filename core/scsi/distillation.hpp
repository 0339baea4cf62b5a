#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <unchannel/measurement/channel.hpp>
#include <unchannel/nn/optimiser.hpp>

#include "observations.hpp"
#include "trained_model.hpp"

// Shape legend: B rows · D data dimension
namespace unchannel {

/// How a one-call network is fitted to a transport.
struct DistillationSettings {
  std::int64_t steps = 2000;
  std::int64_t batch = 256;
  double learning_rate = 5e-4;
  std::int64_t key = 1;
};

/// A network whose single call at t = 1 stands for the whole ODE: h(y) ≈ Φ(y).
struct DistilledModel {
  std::unique_ptr<Network> network;
  double disagreement = 0.0;  ///< rms of h(y) − Φ(y) over rms of Φ(y) − y, on held-out observations
};

/// Fits h by least squares on pairs (y, Φ(y)) of training observations and of re-simulated ones F(Φ(y)), starting from the drift's own
/// weights. `progress` (may be empty) is told each step and returns the signal that asks for a stop, 0 for none. Throws ConfigError when Φ
/// is random, InterruptedError when stopped.
DistilledModel distil(const TrainedModel& trained, const Channel& channel, const Observations& observations, const Integration& how,
                      const DistillationSettings& settings, const std::function<int(std::int64_t)>& progress);

/// h(y) [B, D] → [B, D], `batch` rows at once.
at::Tensor one_call(const DriftModel& model, Network& network, const at::Tensor& y_BD, const Latents& visible, std::int64_t batch);

/// The distilled network of a run folder. Throws DataError when there is none or when it was distilled at another step than the checkpoint's.
std::unique_ptr<Network> open_one_call(const std::filesystem::path& run, const TrainedModel& trained);
void store_one_call(const std::filesystem::path& run, const TrainedModel& trained, const DistilledModel& distilled);

}  // namespace unchannel
