#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

/// The case's observations, made from its signals when they are read; AwgnChannel's own draw has key 5.
void simulate_when_read(EngineCase& c) {
  c.settings.data.observations.clear();
  c.settings.data.signals = (c.folder / "signals.h5").string();
  c.settings.data.simulation_key = 5;
}

/// Trains in `name` and returns the metrics without what the clock says.
std::vector<nlohmann::json> train(EngineCase& c, const std::string& name) {
  RunFolder folder = RunFolder::create(c.folder / name);
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.start();
  trainer.run();
  std::istringstream lines(read_file(c.folder / name / "metrics.jsonl"));
  std::vector<nlohmann::json> entries;
  for (std::string line; std::getline(lines, line);) {
    entries.push_back(nlohmann::json::parse(line));
    entries.back().erase("elapsed_s");
  }
  return entries;
}

TEST(SimulatedObservations, TrainLikeThoseOfTheSimulatedFile) {
  EngineCase c;
  const auto from_file = train(c, "file");
  simulate_when_read(c);
  EXPECT_EQ(train(c, "read"), from_file);
  expect_same_checkpoint(c, "file", "read");
}

TEST(SimulatedObservations, ARowDoesNotDependOnWhatIsReadWithIt) {
  EngineCase c;
  simulate_when_read(c);
  const ObservedRows rows(c.settings.data, c.channel);
  const at::Tensor some = rows.read({7, 1999, 3}).raw_BM;
  EXPECT_TRUE(at::equal(some, c.observed.index_select(0, at::tensor({7, 1999, 3}, at::kLong))));
}

/// AWGN whose noise belongs to the batch as a whole.
class BatchNoise final : public Channel {
 public:
  std::string id() const override { return "test.batch_noise"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {kDimension}; }
  std::vector<std::int64_t> observation_shape() const override { return {kDimension}; }
  const std::vector<LatentSpec>& latents() const override { return none_; }
  Determinism determinism() const override { return Determinism::kPerBatch; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents&, RandomKey, const at::Tensor&) const override { return x_BD; }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  std::vector<LatentSpec> none_;
};

TEST(SimulatedObservations, AChannelWhoseRowsDependOnTheirBatchIsRefused) {
  EngineCase c;
  simulate_when_read(c);
  const std::string said = test_support::message_of<ConfigError>([&] { ObservedRows(c.settings.data, BatchNoise()); });
  EXPECT_NE(said.find("unchannel simulate"), std::string::npos) << said;
}

TEST(RowRange, IsAllThatIsUsedAndItsSplitsAreDisjoint) {
  EngineCase c;
  c.settings.data.first_row = 100;
  c.settings.data.rows = 400;
  Observations observations(c.settings.data, c.channel, RandomKey(1));
  EXPECT_EQ(observations.training_rows(), 400 - 128 - 128);
  std::set<std::uint64_t> seen;
  std::size_t count = 0;
  const auto use = [&](const ObservationBatch& batch) {
    count += batch.rows.size();
    seen.insert(batch.rows.begin(), batch.rows.end());
  };
  use(observations.early_stop());
  use(observations.test());
  use(observations.next(observations.training_rows()));
  EXPECT_EQ(count, 400U);
  EXPECT_EQ(seen.size(), 400U);
  EXPECT_EQ(*seen.begin(), 100U);
  EXPECT_EQ(*seen.rbegin(), 499U);
}

TEST(RowRange, BeyondTheFileIsRefusedWithBothNumbers) {
  EngineCase c;
  for (const auto& [first, rows] : {std::pair<std::int64_t, std::int64_t>{1700, 301}, {2000, 0}, {0, 2001}, {5, std::int64_t{1} << 62}}) {
    c.settings.data.first_row = first;
    c.settings.data.rows = rows;
    const std::string said = test_support::message_of<ConfigError>([&] { ObservedRows(c.settings.data, c.channel); });
    EXPECT_NE(said.find(fmt::format("data.first_row = {} and data.rows = {} reach beyond its 2000 rows", first, rows)), std::string::npos) << said;
  }
}

TEST(StartFromTruth, ThePoolHoldsTheSignalsOfItsObservations) {
  EngineCase c;
  simulate_when_read(c);
  c.settings.start.kind = "truth";
  c.settings.model.space = "elements";
  c.settings.scsi.refresh_every = 0;
  c.settings.scsi.steps = 20;
  c.settings.check_consistency();
  train(c, "oracle");
  const TensorFile file = read_tensor_file(RunFolder::checkpoint_path(c.folder / "oracle"));
  const at::Tensor rows = file.tensors.at("pool.rows");
  EXPECT_EQ(rows.numel(), 512);
  EXPECT_TRUE(at::equal(file.tensors.at("pool.signals"), c.signals.index_select(0, rows)));
  EXPECT_TRUE(at::equal(file.tensors.at("pool.observations"), c.observed.index_select(0, rows)));
}

TEST(StartFromTruth, NeedsSignalsAndIsNamedWhereFixedPairsAreAskedFor) {
  EngineCase c;
  c.settings.start.kind = "truth";
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("data.signals"), std::string::npos);
  c.settings.start.kind = "linear";
  c.settings.scsi.refresh_every = 0;
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("start.kind = \"truth\""), std::string::npos);
}

TEST(DataSettings, OneSourceOfObservationsIsNeededAndNoMore) {
  EngineCase c;
  c.settings.data.signals = (c.folder / "signals.h5").string();
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("exactly one"), std::string::npos);
  c.settings.data.signals.clear();
  c.settings.data.observations.clear();
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("data.observations is missing"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
