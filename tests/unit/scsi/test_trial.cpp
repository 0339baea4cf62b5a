#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/scsi/cost_estimate.hpp>
#include <unchannel/scsi/memory_meter.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

TEST(MemoryMeter, CountsTensorsWhileItLives) {
  const at::Tensor before = at::zeros({1000});
  MemoryMeter meter;
  {
    const at::Tensor large = at::zeros({100, 1000});
    EXPECT_GE(meter.peak_bytes(), 400'000);
  }
  meter.reset_peak();
  const at::Tensor small = at::zeros({1000});
  EXPECT_GE(meter.peak_bytes(), 4'000);
  EXPECT_LT(meter.peak_bytes(), 100'000);
}

TEST(MemoryMeter, SeesWhatABackwardPassHolds) {
  const at::Tensor weight = at::ones({1000}).set_requires_grad(true);
  MemoryMeter meter;
  at::Tensor x = weight;
  for (int i = 0; i < 50; ++i) x = x.sin();  // keeps every argument
  x.sum().backward();
  EXPECT_GE(meter.peak_bytes(), 50 * 4'000);
}

/// A network whose activations outweigh its weights, as those of images do.
void make_wide(EngineCase& c) {
  c.settings.model.space = "elements";
  c.settings.start.kind = "observation";
  c.settings.model.width = 128;
  c.settings.model.depth = 4;
  c.settings.scsi.batch = 1024;
}

TEST(Trial, ForetellsThePeakOfAFullStepFromSmallOnes) {
  EngineCase c;
  make_wide(c);
  const TrialResult trial = run_trial(c.settings, c.channel, {});
  ASSERT_FALSE(trial.step_extrapolated);
  // The trial's full steps have a pool of 32 and no window; the slope comes from batches of 16 and 32.
  const std::int64_t foretold = trial.memory.fixed_bytes + c.settings.scsi.batch * trial.memory.step_signal_bytes;
  EXPECT_NEAR(static_cast<double>(foretold), static_cast<double>(trial.measured_peak_bytes), 0.2 * static_cast<double>(trial.measured_peak_bytes));
}

TEST(Trial, ForetellsTheMemoryOfTheTrainingItself) {
  EngineCase c;
  make_wide(c);
  c.settings.scsi.steps = 20;
  const TrialResult trial = run_small_trial(c.settings, c.channel);
  TrainingSizes sizes = sizes_of(c.settings);
  sizes.buffer_mib = 0;  // the window is no tensor
  MemoryMeter meter;
  RunFolder folder = RunFolder::create(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.start();
  trainer.run();
  const double foretold = static_cast<double>(trial.memory.total_bytes(sizes)), measured = static_cast<double>(meter.peak_bytes());
  EXPECT_NEAR(foretold, measured, 0.3 * measured);
}

TEST(CostEstimate, CountsNetworkCallsLikeTheTraining) {
  EngineCase c;
  c.settings.scsi.steps = 45;
  c.settings.scsi.refresh_every = 7;
  c.settings.scsi.first_refresh = 9;
  c.settings.run.evaluate_every = 20;
  TrialResult trial;
  trial.training_rows = 2000 - 256;
  trial.step_s = 1.0;
  trial.start_s = 5.0;
  const CostEstimate cost = estimate_cost(c.settings, trial);
  RunFolder folder = RunFolder::create(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.start();
  trainer.run();
  const std::string metrics = read_file(c.folder / "run/metrics.jsonl");
  EXPECT_NE(metrics.find(fmt::format("\"network_calls\":{},", cost.network_calls)), std::string::npos) << cost.network_calls << "\n" << metrics;
  EXPECT_EQ(cost.refreshes, 5);    // at 14, 21, 28, 35, 42
  EXPECT_EQ(cost.evaluations, 4);  // at 0, 20, 40, 45
  EXPECT_DOUBLE_EQ(cost.total_s, 50.0);
  trial.transport_row_s = 1e-3;  // 8 Heun steps: 16 calls of the drift
  const double restored = 1744 + 1744 + 100 * 256;  // fewer training rows than the verdict asks for; observed set and 99 simulated ones
  EXPECT_DOUBLE_EQ(estimate_cost(c.settings, trial).verdict_s, 16e-3 * restored);
  c.settings.verdict.replicas = 0;
  EXPECT_EQ(estimate_cost(c.settings, trial).verdict_s, 0.0);
}

TEST(Trial, LeavesNothingBehindAndCanBeStopped) {
  EngineCase c;
  setenv("TMPDIR", c.folder.path().c_str(), 1);
  const auto entries = [&] { return std::distance(std::filesystem::directory_iterator(c.folder.path()), std::filesystem::directory_iterator()); };
  const auto before = entries();
  const TrialResult trial = run_small_trial(c.settings, c.channel);
  EXPECT_TRUE(trial.gaussian.has_value());
  EXPECT_EQ(trial.training_rows, 2000 - 256);
  TrainingObserver stopped;
  stopped.stop_requested = [] { return SIGINT; };
  EXPECT_THROW(run_trial(c.settings, c.channel, stopped), InterruptedError);
  unsetenv("TMPDIR");
  EXPECT_EQ(entries(), before);
}

}  // namespace
}  // namespace unchannel
