#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/measurement/failure_watch.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

/// AWGN in which every seventh sample fails and holds `filling`, and which may die for good after some calls.
class FailingChannel final : public Channel {
 public:
  explicit FailingChannel(double filling) : filling_(filling) {}
  void die_after(std::int64_t calls) { calls_left_ = calls; }
  std::string id() const override { return "test.failing"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {kDimension}; }
  std::vector<std::int64_t> observation_shape() const override { return {kDimension}; }
  const std::vector<LatentSpec>& latents() const override { return inner_.latents(); }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor& x_BD, const Latents& latents, RandomKey key, const at::Tensor& ids_B) const override {
    check<PluginError>(calls_left_ != 0, "channel test.failing: it died.");
    --calls_left_;
    at::Tensor y_BD = inner_.simulate(x_BD, latents, key, ids_B);
    for (std::int64_t row = 0; row < y_BD.size(0); ++row) {
      if (ids_B[row].item<std::int64_t>() % 7 != 0) continue;
      y_BD[row].fill_(filling_);
      failed_.push_back({row, ids_B[row].item<std::int64_t>(), "simulate", "test"});
    }
    return y_BD;
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }
  std::vector<FailedSample> take_failed_samples() const override { return std::exchange(failed_, {}); }

 private:
  AwgnChannel inner_{kDimension, kSigma};
  double filling_;
  mutable std::int64_t calls_left_ = -1;
  mutable std::vector<FailedSample> failed_;
};

/// What a failed sample holds must not matter anywhere: not in the start (2,048 probes, more rows than a batch), in steps or in the gap.
TEST(FailingChannel, WhatFailedSamplesHoldIsUsedNowhere) {
  EngineCase c;
  for (const auto& [name, filling] : {std::pair{"zeros", 0.0}, std::pair{"huge", 1e6}}) {
    const FailingChannel channel(filling);
    RunFolder folder = RunFolder::create(c.folder / name);
    Trainer trainer(c.settings, channel, folder, {});
    trainer.start();
    trainer.run();
  }
  expect_same_checkpoint(c, "zeros", "huge");
}

/// Trains in `name`, with a channel that dies for good in step `death` (−1: never) and is replaced by one that works when the run goes on.
/// Returns what the error said.
std::string train(EngineCase& c, const std::string& name, std::int64_t death = -1) {
  const FailingChannel whole(0.0);
  std::string said;
  {
    FailingChannel dying(0.0);
    RunFolder folder = RunFolder::create(c.folder / name);
    folder.write_config("test = true\n");
    Trainer trainer(c.settings, death < 0 ? static_cast<const Channel&>(whole) : dying, folder, {});
    trainer.start();
    dying.die_after(death);
    said = test_support::message_of<PluginError>([&] { trainer.run(); });
    if (death < 0) return said;
    EXPECT_EQ(trainer.step(), death);
  }
  RunFolder folder = RunFolder::resume(c.folder / name);
  Trainer trainer(c.settings, whole, folder, {});
  trainer.resume();
  EXPECT_EQ(trainer.step(), death);
  trainer.run();
  return said;
}

/// Checkpoints are at 20 and 40; 16 is a step with a refresh, which must not be done twice.
TEST(FailingChannel, AChannelThatDiesForGoodLeavesACheckpointToContinueFrom) {
  EngineCase c;
  train(c, "straight");
  for (const std::int64_t death : {0, 16, 17}) {
    const std::string name = "died" + std::to_string(death);
    const std::string said = train(c, name, death);
    EXPECT_NE(said.find("it died."), std::string::npos) << said;
    EXPECT_NE(said.find("--resume"), std::string::npos) << said;
    expect_same_checkpoint(c, "straight", name);
  }
}

TEST(FailureWatch, CountsOnlyWhatFailedSinceItBegan) {
  const FailingChannel channel(0.0);
  const at::Tensor x = at::zeros({8, kDimension}), ids = at::arange(8, at::kLong);
  channel.simulate(at::zeros({100, kDimension}), {}, RandomKey(1), at::arange(100, at::kLong));
  const FailureWatch watch(channel);
  channel.simulate(x, {}, RandomKey(1), ids + 3);  // id 7 is row 4
  const at::Tensor weight = watch.weight_B(8);
  ASSERT_TRUE(weight.defined());
  EXPECT_EQ(weight.eq(0).nonzero().item<std::int64_t>(), 4);
  EXPECT_EQ(valid_rows(ids, weight).size(0), 7);
  EXPECT_FALSE(watch.weight_B(8).defined());  // taken
}

}  // namespace
}  // namespace unchannel
