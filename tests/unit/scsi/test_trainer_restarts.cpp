#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "engine_case.hpp"

// What a run folder holds after a training was started or finished more than once.
namespace unchannel {
namespace {

std::string metrics_of(const EngineCase& c) { return read_file(c.folder / "run/metrics.jsonl"); }

std::vector<std::int64_t> steps_of(const EngineCase& c) {
  std::istringstream lines(metrics_of(c));
  std::vector<std::int64_t> steps;
  for (std::string line; std::getline(lines, line);) steps.push_back(nlohmann::json::parse(line).at("step"));
  return steps;
}

void start_and_train(EngineCase& c, TrainingObserver observer = {}) {
  RunFolder folder = RunFolder::create(c.folder / "run");
  folder.write_config("test = true\n");
  Trainer trainer(c.settings, c.channel, folder, std::move(observer));
  trainer.start();
  trainer.run();
}

TEST(TrainerRestarts, AResumeOfAFinishedRunUsesTheTestSplitNoSecondTime) {
  EngineCase c;
  c.settings.scsi.steps = 20;
  start_and_train(c);
  const std::string once = metrics_of(c);
  RunFolder folder = RunFolder::resume(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.resume();
  trainer.run();
  EXPECT_EQ(metrics_of(c), once);
}

TEST(TrainerRestarts, ALostLineOfTheTestSplitIsWrittenByTheResume) {
  EngineCase c;
  c.settings.scsi.steps = 20;
  start_and_train(c);
  const std::string whole = metrics_of(c);
  write_file_atomically(c.folder / "run/metrics.jsonl", whole.substr(0, whole.rfind('{')));  // stopped between checkpoint and figures
  RunFolder folder = RunFolder::resume(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.resume();
  trainer.run();
  EXPECT_EQ(metrics_of(c), whole);
}

TEST(TrainerRestarts, AStartWithoutACheckpointForgetsTheLinesOfTheOneBefore) {
  EngineCase c;
  c.settings.scsi.steps = 20;
  {
    const RunFolder failed = RunFolder::create(c.folder / "run");
    failed.write_config("test = true\n");
    failed.append_metrics({{"step", 0}});  // then the checkpoint could not be written
  }
  start_and_train(c);
  EXPECT_EQ(steps_of(c), (std::vector<std::int64_t>{0, 20, 20}));  // the last is the test split
}

TEST(TrainerRestarts, TheLinearStartCanBeStoppedAndStartedAnew) {
  EngineCase c;
  c.settings.scsi.steps = 20;
  std::int64_t rounds = 0;
  TrainingObserver observer;
  observer.progress = [&](std::int64_t, std::int64_t, const std::string& note) {
    if (note == "linear start") ++rounds;
  };
  observer.stop_requested = [&] { return rounds >= 1 ? SIGINT : 0; };
  ASSERT_GT(c.settings.start.rounds, 1);
  try {
    start_and_train(c, observer);
    FAIL() << "was not stopped";
  } catch (const InterruptedError& stopped) {
    EXPECT_EQ(stopped.exit_code(), 130);
  }
  EXPECT_EQ(rounds, 1);
  EXPECT_FALSE(std::filesystem::exists(RunFolder::checkpoint_path(c.folder / "run")));
  EXPECT_NO_THROW(start_and_train(c));
}

}  // namespace
}  // namespace unchannel
