#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/scsi/start_run.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "engine_case.hpp"
#include "mask_test_channel.hpp"

// A trained run as the start of another one.
namespace unchannel {
namespace {

std::string toml_of(TrainSettings settings) {
  return settings_to_toml([&](SettingsVisitor& visitor) { settings.visit(visitor); });
}

struct StartRunCase : EngineCase {
  StartRunCase() {
    settings.data.monitor_observations = (folder / "observed.h5").string();
    settings.data.monitor_signals = (folder / "signals.h5").string();
    settings.data.monitor_rows = 512;
    settings.model.space = "elements";
    settings.model.width = 128;
    settings.start.kind = "observation";
    settings.optimiser.learning_rate = 2e-3;
    settings.scsi.steps = 200;
    settings.scsi.refresh_every = 4;
    settings.scsi.refresh_rows = 128;
  }
  TrainSettings continuing() const {
    TrainSettings next = settings;
    next.start.kind = "run";
    next.start.run = (folder / "first").string();
    next.scsi.steps = 20;
    next.run.key = 2;
    return next;
  }
  void train(const TrainSettings& chosen, const std::string& name, std::int64_t stop_at = -1) {
    std::int64_t now = 0;
    TrainingObserver observer;
    observer.progress = [&](std::int64_t step, std::int64_t, const std::string&) { now = step; };
    observer.stop_requested = [&] { return stop_at > 0 && now >= stop_at ? SIGTERM : 0; };
    const bool resume = std::filesystem::exists(RunFolder::checkpoint_path(folder / name));
    RunFolder run = resume ? RunFolder::resume(folder / name) : RunFolder::create(folder / name);
    run.write_config(toml_of(chosen));
    Trainer trainer(chosen, channel, run, observer);
    resume ? trainer.resume() : trainer.start();
    trainer.run();
  }
  /// monitor_rmse of every evaluation.
  std::vector<double> errors(const std::string& name) const {
    std::istringstream lines(read_file(folder / name / "metrics.jsonl"));
    std::vector<double> values;
    for (std::string line; std::getline(lines, line);) {
      const nlohmann::json entry = nlohmann::json::parse(line);
      if (entry.contains("monitor_rmse")) values.push_back(entry.at("monitor_rmse"));
    }
    return values;
  }
  std::string refusal(const TrainSettings& chosen, const Channel& on) const {
    return test_support::message_of<Error>([&] { open_start_run(chosen, on); });
  }
};

TEST(StartRun, BeginsWithTheErrorOfTheRunAndNotWithThatOfTheObservations) {
  StartRunCase c;
  c.train(c.settings, "first");
  c.train(c.continuing(), "second");
  const double reached = c.errors("first").back();
  ASSERT_LT(reached, 0.9 * c.errors("first").front()) << "the first run learnt too little to show anything";
  EXPECT_EQ(c.errors("second").front(), reached);  // the same weights, rows and solver: the same bits
}

TEST(StartRun, FillsThePoolWithTheRestorationsOfTheRun) {
  StartRunCase c;
  c.settings.transport.restore_steps = 4;
  c.train(c.settings, "first");
  TrainSettings next = c.continuing();
  next.transport.restore_steps = 8;  // of the new run; the pool is made as the first one restores
  next.scsi.steps = 1;
  c.train(next, "second");
  const TensorFile file = read_tensor_file(RunFolder::checkpoint_path(c.folder / "second"));
  const TrainedModel first = open_trained_model(c.folder / "first", c.settings.model, c.settings.interpolant);
  const at::Tensor y_BD = file.tensors.at("pool.observations"), rows_B = file.tensors.at("pool.rows");
  const at::Tensor expected_BD = first.model.transport(*first.network, y_BD, {}, c.settings.transport.in_restoration(), RandomKey(1), rows_B);
  EXPECT_TRUE(at::equal(file.tensors.at("pool.signals"), expected_BD));
}

TEST(StartRun, ResumesBitIdenticallyWithoutTheRunItStartedFrom) {
  StartRunCase c;
  c.settings.model.space = "basis";
  c.settings.start.kind = "linear";
  c.settings.scsi.steps = 20;
  c.train(c.settings, "first");
  c.train(c.continuing(), "straight");
  EXPECT_THROW(c.train(c.continuing(), "interrupted", 7), InterruptedError);
  std::filesystem::remove_all(c.folder / "first");
  c.train(c.continuing(), "interrupted");
  expect_same_checkpoint(c, "straight", "interrupted");
}

TEST(StartRun, KeepsTheFittedGaussianOfTheRun) {
  StartRunCase c;
  c.settings.model.space = "basis";
  c.settings.start.kind = "linear";
  c.settings.scsi.steps = 20;
  c.train(c.settings, "first");
  c.train(c.continuing(), "second");
  const TensorFile first = read_tensor_file(RunFolder::checkpoint_path(c.folder / "first"));
  const TensorFile second = read_tensor_file(RunFolder::checkpoint_path(c.folder / "second"));
  ASSERT_FALSE(tensors_under(first, "bridge.").empty());
  for (const auto& [name, tensor] : tensors_under(first, "bridge.")) EXPECT_TRUE(at::equal(tensor, second.tensors.at("bridge." + name))) << name;
}

TEST(StartRun, RefusesARunOfAnotherModelPathOrSignal) {
  StartRunCase c;
  c.settings.scsi.steps = 1;
  c.train(c.settings, "first");
  TrainSettings next = c.continuing();
  next.model.dropout = 0.1;  // decides nothing about what the weights mean
  EXPECT_NO_THROW(open_start_run(next, c.channel));
  next.model.width = 48;
  EXPECT_NE(c.refusal(next, c.channel).find("was trained with model.width = 128, this configuration has model.width = 48"), std::string::npos);
  next = c.continuing();
  next.model.family = "unet1d";
  EXPECT_NE(c.refusal(next, c.channel).find("model.family = \"mlp\""), std::string::npos);
  next = c.continuing();
  next.interpolant.kind = "trigonometric";
  EXPECT_NE(c.refusal(next, c.channel).find("interpolant.kind = \"linear\""), std::string::npos);
  EXPECT_NE(c.refusal(c.continuing(), AwgnChannel(32, kSigma)).find("signals of shape [64]; here they have the shape [32]"), std::string::npos);
  EXPECT_NE(c.refusal(c.continuing(), MaskTestChannel(kDimension, kSigma)).find("sees the latents [], here it would see [mask[64]]"),
            std::string::npos);
}

TEST(StartRun, RefusesAFolderWithoutARunOrACheckpoint) {
  StartRunCase c;
  EXPECT_NE(c.refusal(c.continuing(), c.channel).find("is no run folder"), std::string::npos);
  std::filesystem::create_directories(c.folder / "first");
  write_file_atomically(RunFolder::config_path(c.folder / "first"), toml_of(c.settings));
  EXPECT_NE(c.refusal(c.continuing(), c.channel).find("holds no checkpoint yet"), std::string::npos);
}

TEST(StartRun, TheFolderAndTheKindOfStartBelongTogether) {
  StartRunCase c;
  TrainSettings next = c.continuing();
  EXPECT_NO_THROW(next.check_consistency());
  next.start.kind = "observation";
  EXPECT_THROW(next.check_consistency(), ConfigError);
  next.start.kind = "run";
  next.start.run.clear();
  EXPECT_THROW(next.check_consistency(), ConfigError);
}

}  // namespace
}  // namespace unchannel
