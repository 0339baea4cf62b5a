#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/message_of.hpp>
#include <unchannel/transport/drift_model.hpp>

#include "../scsi/engine_case.hpp"

namespace unchannel {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// The transport of [1, 2] data by a network that is still zero, which leaves an observation where it is.
at::Tensor transport(double low, double high, const at::Tensor& y_ND, const std::string& solver) {
  ModelSettings settings;
  settings.space = "elements";
  settings.width = 8;
  settings.signal_min = low;
  settings.signal_max = high;
  const DriftModel model(settings, Interpolant({.time_levels = 16}), std::nullopt, {at::zeros({2}), 1.0}, ConditionEncoder(), {2});
  const std::unique_ptr<Network> network = model.make_network(RandomKey(1));
  return model.transport(*network, y_ND, {}, {solver, 8, 16, 1e-3}, RandomKey(2), at::arange(y_ND.size(0), at::kLong));
}

TEST(SignalRange, IsWhereTransportsEnd) {
  const at::Tensor y_ND = at::tensor({2.0F, 0.2F, -3.0F, -0.4F}).view({2, 2});
  for (const char* solver : {"euler", "heun", "midpoint", "multistep", "adaptive"}) {
    EXPECT_LT((transport(-0.5, 0.5, y_ND, solver) - y_ND.clamp(-0.5, 0.5)).abs().max().item<double>(), 1e-6) << solver;
    EXPECT_LT((transport(0.0, kInfinity, y_ND, solver) - y_ND.clamp_min(0.0)).abs().max().item<double>(), 1e-6) << solver;
    EXPECT_LT((transport(-kInfinity, kInfinity, y_ND, solver) - y_ND).abs().max().item<double>(), 1e-6) << solver;
  }
}

TEST(SignalRange, HoldsTheStartToo) {
  EngineCase c;
  c.settings.model.space = "elements";
  c.settings.start.kind = "observation";
  c.settings.model.signal_min = -1.0;
  c.settings.scsi.steps = 1;
  RunFolder run = RunFolder::create(c.folder / "run");
  Trainer trainer(c.settings, c.channel, run, {});
  trainer.start();
  const at::Tensor pool = read_tensor_file(run.checkpoint_path()).tensors.at("pool.signals");
  EXPECT_LT(c.observed.min().item<double>(), -2.0);
  EXPECT_GE(pool.min().item<double>(), -1.0);
  EXPECT_GT(pool.max().item<double>(), 2.0);
}

TEST(SignalRange, MustNotBeEmpty) {
  EngineCase c;
  c.settings.model.signal_min = 1.0;
  c.settings.model.signal_max = 1.0;
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("model.signal_max"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
