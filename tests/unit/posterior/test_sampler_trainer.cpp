#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <unchannel/base/error.hpp>
#include <unchannel/posterior/calibration.hpp>

#include "sampler_case.hpp"

namespace unchannel {
namespace {

TrainedSampler train(const SamplerCase& c, const std::string& name, std::int64_t stop_after = 0) {
  const LearntSignals signals = c.learnt();
  const TrainedModel run = c.run();
  RunFolder folder = RunFolder::create(c.folder / name);
  std::int64_t polls = 0;
  TrainingObserver observer;
  observer.stop_requested = [&] { return stop_after > 0 && polls++ == stop_after ? 15 : 0; };
  {
    SamplerTrainer trainer(c.train, c.settings, run, c.channel, signals, folder, observer);
    trainer.start();
    if (stop_after > 0) {
      EXPECT_THROW(trainer.run(), InterruptedError);
    } else {
      trainer.run();
    }
  }
  if (stop_after > 0) {
    SamplerTrainer resumed(c.train, c.settings, run, c.channel, signals, folder, {});
    resumed.resume();
    EXPECT_EQ(resumed.step(), stop_after);
    resumed.run();
  }
  return open_trained_sampler(c.folder / name, c.train.model);
}

TEST(SamplerTrainer, LearnsTheClosedFormPosteriorOfGaussianSignals) {
  const SamplerCase c;
  const TrainedSampler sampler = train(c, "run");
  constexpr std::int64_t kObjects = 500, kDraws = 79;
  const at::Tensor ids = at::arange(kObjects, at::kLong);
  const at::Tensor x_ND = (normal_rows(RandomKey(5), ids, 2).to(at::kDouble).matmul(c.factor_DD.t()) + c.mean_D).to(at::kFloat);
  const at::Tensor y_ND = c.channel.simulate(x_ND, {}, RandomKey(6), ids);
  const Evidence evidence = sampler.model.evidence(y_ND, {}, guide_signals(c.run(), y_ND, {}));
  DrawOptions options;
  options.samples = kDraws;
  options.key = RandomKey(8);
  const at::Tensor draws_NSD = posterior_draws(sampler, evidence, ids, options).to(at::kDouble);
  const at::Tensor exact_ND = c.exact_mean(y_ND), exact_covariance = c.exact_covariance();

  // Root mean square over objects of mean − exact: sampling √(trace/2 / 79) = 0.05, and 0.05 for a fit of 800 steps.
  const double mean_error = (draws_NSD.mean(1) - exact_ND).square().mean().sqrt().item<double>();
  EXPECT_LT(mean_error, 0.08);
  const at::Tensor scatter = (draws_NSD - draws_NSD.mean(1, true)).flatten(0, 1);
  const at::Tensor covariance = scatter.t().matmul(scatter) / static_cast<double>(kObjects * (kDraws - 1));
  EXPECT_LT((covariance - exact_covariance).abs().max().item<double>(), 0.03) << covariance << exact_covariance;
  // One call has no sampling error.
  const at::Tensor one_call = sampler.model.mean(*sampler.network, evidence, RandomKey(8), ids).to(at::kDouble);
  EXPECT_LT((one_call - exact_ND).square().mean().sqrt().item<double>(), 0.06);

  CalibrationCollector collector(x_ND, kDraws);
  collector.add(0, draws_NSD.slice(0, 0, 200).to(at::kFloat));
  collector.add(200, draws_NSD.slice(0, 200).to(at::kFloat));
  const Calibration calibration = collector.result();
  EXPECT_EQ(calibration.pairs, kObjects);
  EXPECT_GT(calibration.directions.p_value, 0.01);
  EXPECT_GT(calibration.elements.p_value, 0.01);
  EXPECT_GT(calibration.tarp.p_value, 0.01);
  // Five standard errors of a share of 1,000 nearly independent elements: 0.08 and 0.05.
  EXPECT_NEAR(calibration.coverage_50.value, 0.5, 0.08);
  EXPECT_NEAR(calibration.coverage_90.value, 0.9, 0.05);
  EXPECT_NEAR(calibration.spread, std::sqrt(exact_covariance.diagonal().mean().item<double>()), 0.03);
}

TEST(SamplerTrainer, ContinuesBitByBitAfterAStop) {
  SamplerCase c;
  c.settings.steps = 30;
  c.settings.batch = 32;
  train(c, "whole");
  train(c, "stopped", 13);
  const TensorFile whole = read_tensor_file(RunFolder::checkpoint_path(c.folder / "whole"));
  const TensorFile stopped = read_tensor_file(RunFolder::checkpoint_path(c.folder / "stopped"));
  ASSERT_EQ(whole.tensors.size(), stopped.tensors.size());
  for (const auto& [name, tensor] : whole.tensors) EXPECT_TRUE(at::equal(tensor, stopped.tensors.at(name))) << name;
}

TEST(Calibration, FindsDrawsThatAreTooNarrow) {
  // Truth and draws from N(0, 1), the draws shrunk to 0.7: the share of truths in the central 90 % of draws is erf(0.7 · 1.645/√2) = 0.75.
  constexpr std::int64_t kObjects = 1000, kDraws = 79;
  const at::Tensor truth = normal_rows(RandomKey(1), at::arange(kObjects, at::kLong), 3);
  const at::Tensor draws = 0.7 * normal_rows(RandomKey(2), at::arange(kObjects, at::kLong), 3 * kDraws).view({kObjects, kDraws, 3});
  CalibrationCollector collector(truth, kDraws);
  collector.add(0, draws);
  const Calibration calibration = collector.result();
  EXPECT_NEAR(calibration.coverage_90.value, 0.75, 0.04);  // five standard errors of 3,000
  EXPECT_LT(calibration.directions.p_value, 1e-6);
  EXPECT_LT(calibration.tarp.p_value, 1e-4);
}

TEST(LearntSignals, RefusesTooFewRows) {
  SamplerCase c;
  c.settings.held_out_rows = 20000;
  EXPECT_THROW(c.learnt(), ConfigError);
}

}  // namespace
}  // namespace unchannel
