#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <nlohmann/json.hpp>
#include <sstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/run/tensor_file.hpp>
#include <unchannel/scsi/trained_model.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

/// Trains in `name` until done, stopped by a signal at every step of `stops`, each time going on in a new Trainer.
void train(EngineCase& c, const std::string& name, std::vector<std::int64_t> stops = {}) {
  bool first = true;
  for (;;) {
    RunFolder folder = first ? RunFolder::create(c.folder / name) : RunFolder::resume(c.folder / name);
    folder.write_config("test = true\n");
    std::int64_t now = 0;
    TrainingObserver observer;
    observer.progress = [&](std::int64_t step, std::int64_t, const std::string& note) {
      if (note != "linear start") now = step;
    };
    observer.stop_requested = [&] { return !stops.empty() && now >= stops.front() ? SIGTERM : 0; };
    Trainer trainer(c.settings, c.channel, folder, observer);
    first ? trainer.start() : trainer.resume();
    first = false;
    try {
      trainer.run();
      return;
    } catch (const InterruptedError& stopped) {
      EXPECT_EQ(stopped.exit_code(), 143);
      stops.erase(stops.begin());
    }
  }
}

TEST(Trainer, ResumesBitIdenticallyInBfloat16WithDropout) {
  EngineCase c;
  c.settings.model.precision = "bfloat16";
  c.settings.model.dropout = 0.1;
  train(c, "straight");
  train(c, "interrupted", {7, 23, 41});
  expect_same_checkpoint(c, "straight", "interrupted");
}

TEST(Trainer, ResumesBitIdenticallyForTheReverseSde) {
  EngineCase c;
  c.settings.interpolant.gamma = "quadratic";
  c.settings.interpolant.epsilon = 0.1;
  c.settings.scsi.steps = 30;
  train(c, "straight");
  train(c, "interrupted", {17});
  expect_same_checkpoint(c, "straight", "interrupted");
}

TEST(Trainer, RestoresAGaussianLikeTheDistributionPreservingMap) {
  EngineCase c;
  c.settings.scsi.steps = 300;
  train(c, "run");
  TrainedModel trained = open_trained_model(c.folder / "run", c.settings.model, c.settings.interpolant);
  const at::Tensor restored = trained.model.transport(*trained.network, c.observed, {}, c.settings.transport.in_restoration(), RandomKey(1),
                                                      at::arange(c.observed.size(0), at::kLong));
  // Per direction of variance v and noise s² the ODE map has mean squared error 2v(1 − √(v/(v+s²))) (docs/theory).
  const at::Tensor centred = c.signals.to(at::kDouble) - c.signals.to(at::kDouble).mean(0);
  const at::Tensor variances =
      std::get<0>(at::linalg_eigh(centred.t().matmul(centred) / static_cast<double>(centred.size(0)))).slice(0, -2);
  const at::Tensor bound =
      (2.0 * variances * (1.0 - (variances / (variances + kSigma * kSigma)).sqrt())).sum() / static_cast<double>(kDimension);
  const double rmse = (restored - c.signals).square().mean().sqrt().item<double>();
  EXPECT_LT(rmse, 1.1 * bound.sqrt().item<double>());  // directions from 1,744 noisy rows cost a few per cent
  EXPECT_NEAR(restored.var(0).sum().item<double>() / c.signals.var(0).sum().item<double>(), 1.0, 0.12);
}

TEST(Trainer, RestoresAlongEveryPathAndWithEverySolver) {
  const auto rmse = [](EngineCase& c, const std::string& name) {
    c.settings.check_consistency();
    train(c, name);
    TrainedModel trained = open_trained_model(c.folder / name, c.settings.model, c.settings.interpolant);
    const at::Tensor restored = trained.model.transport(*trained.network, c.observed, {}, c.settings.transport.in_restoration(), RandomKey(1),
                                                        at::arange(c.observed.size(0), at::kLong));
    return (restored - c.signals).square().mean().sqrt().item<double>();
  };
  for (const char* space : {"basis", "elements"}) {
    EngineCase plain;
    plain.settings.model.space = space;
    const double linear = rmse(plain, "linear");
    const auto expect_close = [&](const std::string& name, const std::function<void(TrainSettings&)>& change) {
      EngineCase c;
      c.settings.model.space = space;
      change(c.settings);
      // Of the bridge's exact transport of one Gaussian only the steps differ, and what 60 steps of a small network add.
      EXPECT_NEAR(rmse(c, name) / linear, 1.0, 0.1) << space << ' ' << name;
    };
    expect_close("trigonometric", [](TrainSettings& s) { s.interpolant.kind = "trigonometric"; });
    expect_close("polynomial", [](TrainSettings& s) { s.interpolant.kind = "polynomial"; });
    expect_close("fokker_planck", [](TrainSettings& s) { s.interpolant.kind = "fokker_planck", s.interpolant.noise_sigma = kSigma; });
    expect_close("sine_squared", [](TrainSettings& s) { s.interpolant.gamma = "sine_squared"; });
    expect_close("coarse", [](TrainSettings& s) { s.transport.coarse_steps = 4; });
    expect_close("adaptive", [](TrainSettings& s) { s.transport.restore_solver = "adaptive", s.transport.tolerance = 0.01; });
  }
}

TEST(Trainer, TrainsOnElementsFromTheObservationsThemselves) {
  EngineCase c;
  c.settings.model.space = "elements";
  c.settings.start.kind = "observation";
  c.settings.model.width = 128;  // the noise to remove has 62 dimensions, which a narrower layer could not pass
  c.settings.scsi.steps = 400;
  c.settings.scsi.refresh_every = 4;
  c.settings.scsi.refresh_rows = 128;
  c.settings.optimiser.learning_rate = 2e-3;
  train(c, "run");
  TrainedModel trained = open_trained_model(c.folder / "run", c.settings.model, c.settings.interpolant);
  const at::Tensor restored = trained.model.transport(*trained.network, c.observed, {}, c.settings.transport.in_restoration(), RandomKey(1),
                                                      at::arange(c.observed.size(0), at::kLong));
  const double before = (c.observed - c.signals).square().mean().sqrt().item<double>();
  EXPECT_LT((restored - c.signals).square().mean().sqrt().item<double>(), 0.75 * before);
}

TEST(Trainer, StopsEarlyWhenItLearnsItsRowsByHeart) {
  EngineCase c;
  // Forty rows of noise in 64 dimensions and a network that can remember them.
  write_rows(c.folder / "observed.h5", DatasetKind::observations, c.observed.slice(0, 40 + 256));
  c.settings.model.space = "elements";
  c.settings.start.kind = "observation";
  c.settings.model.width = 128;
  c.settings.scsi.mixture = 1.0;
  c.settings.scsi.pool = 40;
  c.settings.scsi.refresh_rows = 40;
  c.settings.scsi.steps = 1000;
  c.settings.scsi.early_stop = 0.04;
  c.settings.run.evaluate_every = 10;
  c.settings.optimiser.learning_rate = 2e-3;
  train(c, "stopped");
  const std::int64_t end = open_trained_model(c.folder / "stopped", c.settings.model, c.settings.interpolant).step;
  EXPECT_LT(end, 1000);
  EXPECT_EQ(end % 10, 0) << "at an evaluation";
  std::istringstream lines(read_file(c.folder / "stopped/metrics.jsonl"));
  std::vector<double> excess;
  for (std::string line; std::getline(lines, line);) {
    const nlohmann::json entry = nlohmann::json::parse(line);
    if (!entry.contains("held_out_residual_rms")) continue;
    excess.push_back(entry.at("held_out_residual_rms").get<double>() / entry.at("training_rows_residual_rms").get<double>() - 1.0);
  }
  ASSERT_GE(excess.size(), 3U);
  EXPECT_GT(excess.back(), 0.04);
  EXPECT_GT(excess[excess.size() - 2], 0.04);
  EXPECT_LT(excess[excess.size() - 3], 0.04) << "the first two in a row";
  train(c, "interrupted", {end / 2});
  expect_same_checkpoint(c, "stopped", "interrupted");
}

TEST(Trainer, LogsTheConsistencyGapWithoutCleanData) {
  EngineCase c;
  train(c, "run");
  std::istringstream lines(read_file(c.folder / "run/metrics.jsonl"));
  std::vector<nlohmann::json> entries;
  for (std::string line; std::getline(lines, line);) entries.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(entries.size(), 4U);  // steps 0, 30, 60 and the test split
  EXPECT_TRUE(entries[1].contains("gap_excess_relative"));
  EXPECT_EQ(entries[3].at("split"), "test");
}

TEST(Trainer, RefusesACheckpointOfAnotherConfiguration) {
  EngineCase c;
  train(c, "run");
  c.settings.model.width = 48;
  RunFolder folder = RunFolder::resume(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  EXPECT_THROW(trainer.resume(), DataError);
}

TEST(Trainer, RefusesHeldOutVariancesWhereTheyMeanNothing) {
  EngineCase c;
  c.settings.start.filter_basis = true;
  EXPECT_THROW(c.settings.check_consistency(), ConfigError);  // nothing to filter without held-out variances
  c.settings.start.variances = "held_out";
  EXPECT_NO_THROW(c.settings.check_consistency());
  c.settings.start.basis = "response";
  EXPECT_THROW(c.settings.check_consistency(), ConfigError);
}

TEST(Trainer, RefusesDataOfAnotherShape) {
  EngineCase c;
  const AwgnChannel other(kDimension + 1, kSigma);
  RunFolder folder = RunFolder::create(c.folder / "run");
  EXPECT_THROW(Trainer(c.settings, other, folder, {}), ShapeError);
}

}  // namespace
}  // namespace unchannel
