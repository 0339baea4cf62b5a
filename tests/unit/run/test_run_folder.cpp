#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/test_support/temp_dir.hpp>

namespace unchannel {
namespace {

TEST(RunFolder, DoesNotOverwriteARun) {
  const test_support::TempDir folder;
  { RunFolder::create(folder / "run").write_config("a = 1\n"); }
  write_file_atomically(RunFolder::checkpoint_path(folder / "run"), "weights");
  EXPECT_THROW(RunFolder::create(folder / "run"), ConfigError);
  EXPECT_NO_THROW(RunFolder::resume(folder / "run"));
}

TEST(RunFolder, WhatAFailedStartLeftIsNoRun) {
  const test_support::TempDir folder;
  {
    const RunFolder failed = RunFolder::create(folder / "run");
    failed.write_config("a = 1\n");
    failed.write_provenance({{"git", "x"}});
  }
  EXPECT_NO_THROW(RunFolder::create(folder / "run").write_config("a = 2\n"));
  EXPECT_EQ(read_file(RunFolder::config_path(folder / "run")), "a = 2\n");
}

TEST(RunFolder, KnowsTheStepWhoseTestFiguresItHolds) {
  const test_support::TempDir folder;
  const RunFolder run = RunFolder::create(folder / "run");
  EXPECT_FALSE(run.holds_test_figures(60));
  run.append_metrics({{"step", 60}});
  EXPECT_FALSE(run.holds_test_figures(60));
  run.append_metrics({{"step", 60}, {"split", "test"}});
  EXPECT_TRUE(run.holds_test_figures(60));
  EXPECT_FALSE(run.holds_test_figures(90));
  EXPECT_FALSE(run.holds_verdict(60));
  run.append_metrics({{"step", 60}, {"verdict", "cannot tell"}});
  EXPECT_TRUE(run.holds_verdict(60));
  EXPECT_FALSE(run.holds_verdict(90));
}

TEST(RunFolder, HasNothingToResumeWhereNothingWasStarted) {
  const test_support::TempDir folder;
  EXPECT_THROW(RunFolder::resume(folder / "run"), ConfigError);
}

TEST(RunFolder, IsHeldByOneWriter) {
  const test_support::TempDir folder;
  const RunFolder first = RunFolder::create(folder / "run");
  first.write_config("a = 1\n");
  EXPECT_THROW(RunFolder::resume(folder / "run"), DataError);
}

TEST(RunFolder, CutsMetricsBackToTheCheckpoint) {
  const test_support::TempDir folder;
  const RunFolder run = RunFolder::create(folder / "run");
  for (int step : {0, 10, 20, 30}) run.append_metrics({{"step", step}});
  std::ofstream(folder / "run/metrics.jsonl", std::ios::app) << "{\"step\": 4";  // a crash in the middle of a line
  run.cut_metrics(20);
  EXPECT_EQ(read_file(folder / "run/metrics.jsonl"), "{\"step\":0}\n{\"step\":10}\n{\"step\":20}\n");
}

}  // namespace
}  // namespace unchannel
