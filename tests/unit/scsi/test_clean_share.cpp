#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/training_batch.hpp>
#include <unchannel/test_support/message_of.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kPool = 200;
constexpr float kClean = 1000.0F;  // clean row i holds kClean + i, pooled row i holds i: each signal tells where it comes from

/// y = the latent `tag`, which comes with the observations.
class TagChannel final : public Channel {
 public:
  explicit TagChannel(LatentSource source) : specs_(1) {
    specs_[0].name = "tag";
    specs_[0].source = source;
  }
  std::string id() const override { return "test.tag"; }
  std::string version() const override { return "1"; }
  std::vector<std::int64_t> signal_shape() const override { return {2}; }
  std::vector<std::int64_t> observation_shape() const override { return {2}; }
  const std::vector<LatentSpec>& latents() const override { return specs_; }
  Determinism determinism() const override { return Determinism::kPerSample; }
  nlohmann::json configuration() const override { return {}; }
  Latents draw_latents(RandomKey, const at::Tensor&, const at::Tensor&) const override { return {}; }
  at::Tensor simulate(const at::Tensor&, const Latents& latents, RandomKey, const at::Tensor&) const override {
    return latents.at("tag").unsqueeze(1).expand({-1, 2}).contiguous();
  }
  at::Tensor lift(const at::Tensor& y_BM, const Latents&) const override { return y_BM; }

 private:
  std::vector<LatentSpec> specs_;
};

struct CleanCase {
  test_support::TempDir folder;
  TagChannel channel;
  TrainSettings settings;
  Pool pool{kPool};
  DriftModel model;

  explicit CleanCase(LatentSource source = LatentSource::kOwn) : channel(source), model(make_model()) {
    const at::Tensor row = at::arange(kPool, at::kFloat).unsqueeze(1).expand({kPool, 2}).contiguous();
    write_rows(folder / "clean.h5", DatasetKind::signals, row.slice(0, 0, 50) + kClean);
    settings.data.clean_signals = (folder / "clean.h5").string();
    settings.scsi.batch = 64;
    settings.scsi.resamples = 1;
    settings.scsi.mixture = 1.0;
    ObservationBatch batch;
    batch.lifted_BD = at::full({kPool, 2}, -1.0F);  // a real observation
    batch.rows = row_range(0, kPool);
    batch.latents["tag"] = at::arange(kPool, at::kFloat);
    pool.add(batch, row);
  }

  static DriftModel make_model() {
    ModelSettings model;
    model.space = "elements";
    return {model, Interpolant({.time_levels = 8}), std::nullopt, {at::zeros({2}), 1.0}, ConditionEncoder(), {2}};
  }

  struct Pairs {
    at::Tensor x_S, y_S;
  };
  /// First elements of the signals of a step and of the observations they were paired with.
  Pairs draw(std::int64_t step) const {
    const CleanSignals clean(settings.data, channel);
    const TrainingBatch batch = TrainingBatcher(settings.scsi, channel, model, RandomKey(1), &clean).draw(pool, step);
    const at::Tensor t_G1 = (batch.level_G.to(at::kDouble) / 8.0).unsqueeze(1), x_GN = batch.signal_GND.select(2, 0).to(at::kDouble);
    const at::Tensor y_GN = (batch.interpolated_GND.select(2, 0).to(at::kDouble) - (1.0 - t_G1) * x_GN) / t_G1;
    return {x_GN.flatten(), y_GN.round().flatten()};  // of whole numbers, after float32 sums below 2,000
  }
};

TEST(CleanShare, OfZeroLeavesEveryBitAsItWas) {
  CleanCase c;
  const CleanSignals clean(c.settings.data, c.channel);
  const TrainingBatch with = TrainingBatcher(c.settings.scsi, c.channel, c.model, RandomKey(1), &clean).draw(c.pool, 3);
  const TrainingBatch without = TrainingBatcher(c.settings.scsi, c.channel, c.model, RandomKey(1), nullptr).draw(c.pool, 3);
  EXPECT_TRUE(at::equal(with.interpolated_GND, without.interpolated_GND));
  EXPECT_TRUE(with.signal_GND.lt(kClean).all().item<bool>());
}

TEST(CleanShare, OfOneLeavesNoPooledSignal) {
  CleanCase c;
  c.settings.scsi.clean_share = 1.0;
  const at::Tensor x_S = c.draw(3).x_S;
  EXPECT_TRUE(x_S.ge(kClean).logical_and(x_S.lt(kClean + 50)).all().item<bool>());
}

TEST(CleanShare, IsTheShareOfCleanSignals) {
  CleanCase c;
  c.settings.scsi.clean_share = 0.3;
  double clean = 0.0;
  constexpr std::int64_t kSteps = 40;
  for (std::int64_t step = 0; step < kSteps; ++step) clean += c.draw(step).x_S.ge(kClean).sum().item<double>();
  // 2,560 draws: four standard errors.
  EXPECT_NEAR(clean / (64.0 * kSteps), 0.3, 4.0 * std::sqrt(0.3 * 0.7 / (64.0 * kSteps)));
}

TEST(CleanShare, CleanSignalsAreNeverPairedWithARealObservation) {
  CleanCase c;
  c.settings.scsi.clean_share = 0.5;
  c.settings.scsi.mixture = 0.0;  // every pooled signal is
  const auto [x_S, y_S] = c.draw(5);
  EXPECT_TRUE(at::equal(x_S.ge(kClean), y_S.ge(0.0)));
}

TEST(CleanShare, LatentsOfCleanSignalsAreThoseOfAnyPoolRow) {
  for (const LatentSource source : {LatentSource::kOwn, LatentSource::kData}) {
    CleanCase c(source);
    c.settings.scsi.clean_share = 0.5;
    const auto [x_S, y_S] = c.draw(5);
    const at::Tensor clean_S = x_S.ge(kClean);
    EXPECT_TRUE(y_S.ge(0.0).logical_and(y_S.lt(kPool)).all().item<bool>());
    EXPECT_GT(y_S.masked_select(clean_S).std().item<double>(), 0.15 * kPool);  // uniform over the pool: 0.29
    if (source == LatentSource::kOwn) {
      EXPECT_TRUE(at::equal(y_S.masked_select(~clean_S), x_S.masked_select(~clean_S)));
    }
  }
}

TEST(CleanSignals, AreTheSameRowsFromMemoryAndFromTheFile) {
  CleanCase c;
  const at::Tensor rows = at::arange(400'000, at::kFloat).unsqueeze(1).expand({400'000, 2}).contiguous();  // 3 MiB
  write_rows(c.folder / "many.h5", DatasetKind::signals, rows);
  c.settings.data.clean_signals = (c.folder / "many.h5").string();
  const at::Tensor index = at::tensor({399'999, 0, 123'456, 0}, at::kLong);
  for (const std::int64_t mib : {1, 64}) {
    c.settings.data.buffer_mib = mib;
    EXPECT_TRUE(at::equal(CleanSignals(c.settings.data, c.channel).rows(index).select(1, 0), index.to(at::kFloat)));
  }
}

TEST(CleanSignals, AndTheirShareBelongTogether) {
  EngineCase c;
  c.settings.scsi.clean_share = 0.5;
  EXPECT_NE(test_support::message_of<ConfigError>([&] { c.settings.check_consistency(); }).find("data.clean_signals"), std::string::npos);
}

}  // namespace
}  // namespace unchannel
