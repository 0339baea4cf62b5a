#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/scsi/distillation.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "engine_case.hpp"

namespace unchannel {
namespace {

TrainedModel trained_run(EngineCase& c) {
  RunFolder folder = RunFolder::create(c.folder / "run");
  Trainer trainer(c.settings, c.channel, folder, {});
  trainer.start();
  trainer.run();
  return open_trained_model(c.folder / "run", c.settings.model, c.settings.interpolant);
}

DistilledModel distil_case(EngineCase& c, const TrainedModel& trained, std::int64_t steps) {
  const Observations observations(c.settings.data, c.channel, RandomKey(1));
  DistillationSettings settings;
  settings.steps = steps;
  settings.batch = 64;
  settings.learning_rate = 2e-3;
  return distil(trained, c.channel, observations, c.settings.transport.in_restoration(), settings, {});
}

TEST(Distillation, OneCallComesCloseToTheWholeTransport) {
  EngineCase c;
  const TrainedModel trained = trained_run(c);
  const DistilledModel distilled = distil_case(c, trained, 400);
  const Integration how = c.settings.transport.in_restoration();
  const at::Tensor ids = at::arange(c.observed.size(0), at::kLong);
  const at::Tensor whole = trained.model.transport(*trained.network, c.observed, {}, how, RandomKey(1), ids);
  const at::Tensor untrained = one_call(trained.model, *trained.network, c.observed, {}, 256);
  const at::Tensor fast = one_call(trained.model, *distilled.network, c.observed, {}, 256);
  const auto apart = [&](const at::Tensor& x) { return (x - whole).square().mean().sqrt().item<double>(); };
  // Before, one call gives the conditional mean, which shrinks; the map itself is smooth and easily learnt.
  EXPECT_LT(apart(fast), 0.5 * apart(untrained));
  EXPECT_LT(distilled.disagreement, 0.1);
}

TEST(Distillation, BelongsToTheCheckpointItWasMadeFrom) {
  EngineCase c;
  TrainedModel trained = trained_run(c);
  EXPECT_THROW(open_one_call(c.folder / "run", trained), DataError);
  const DistilledModel distilled = distil_case(c, trained, 2);
  store_one_call(c.folder / "run", trained, distilled);
  const at::Tensor before = one_call(trained.model, *distilled.network, c.observed, {}, 256);
  const auto again = open_one_call(c.folder / "run", trained);
  EXPECT_TRUE(at::equal(one_call(trained.model, *again, c.observed, {}, 256), before));
  ++trained.step;
  EXPECT_THROW(open_one_call(c.folder / "run", trained), DataError);
}

TEST(Distillation, RefusesARandomTransport) {
  EngineCase c;
  c.settings.interpolant.gamma = "quadratic";
  c.settings.interpolant.epsilon = 0.1;
  c.settings.scsi.steps = 1;
  const TrainedModel trained = trained_run(c);
  EXPECT_THROW(distil_case(c, trained, 2), ConfigError);
}

}  // namespace
}  // namespace unchannel
