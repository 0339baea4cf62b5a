#pragma once

#include <ATen/ATen.h>

#include <unchannel/data/dataset.hpp>
#include <unchannel/posterior/sampler_trainer.hpp>
#include <unchannel/posterior/trained_sampler.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "../scsi/engine_case.hpp"

namespace unchannel {

/// Two-dimensional Gaussian signals x = m + F n behind y = x + σ n, whose posterior is known.
struct SamplerCase {
  static constexpr double kNoise = 0.8;
  test_support::TempDir folder;
  AwgnChannel channel{2, kNoise};
  at::Tensor mean_D = at::tensor({0.5, -0.3}, at::kDouble);
  at::Tensor factor_DD = at::tensor({0.9, 0.0, 0.5, 0.4}, at::kDouble).view({2, 2});
  at::Tensor signals = (normal_rows(RandomKey(77), at::arange(20000, at::kLong), 2).to(at::kDouble).matmul(factor_DD.t()) + mean_D).to(at::kFloat);
  TrainSettings train;
  SamplerSettings settings;

  SamplerCase() {
    at::set_num_threads(1);  // the tensors are too small for more
    write_rows(folder / "signals.h5", DatasetKind::signals, signals);
    train.data.observations = "unused";
    train.model.space = "elements";
    train.model.width = 32;
    train.model.depth = 1;
    train.optimiser.learning_rate = 0.005;
    train.optimiser.final_learning_rate_share = 0.02;
    train.run.evaluate_every = 400;
    train.run.checkpoint_every = 400;
    settings.steps = 800;
    settings.batch = 500;
    settings.resamples = 2;
    settings.held_out_rows = 2000;
  }

  /// A run whose network is zero and knows nothing of the covariance: its guide is y itself.
  TrainedModel run() const {
    const Interpolant path(frame_path());
    const Normalisation plain{at::zeros({2}), 1.0};
    TrainedModel result{DriftModel(train.model, path, std::nullopt, plain, ConditionEncoder({}, 2), {2}), nullptr, 0, std::nullopt};
    result.network = result.model.make_network(RandomKey(4));
    return result;
  }

  LearntSignals learnt() const { return LearntSignals(folder / "signals.h5", channel, settings.held_out_rows, 64, RandomKey(1)); }

  /// Posterior covariance (C⁻¹ + σ⁻² I)⁻¹ and mean m + K (y − m), K = C (C + σ² I)⁻¹.
  at::Tensor exact_covariance() const {
    return (covariance().inverse() + at::eye(2, at::kDouble) / (kNoise * kNoise)).inverse();
  }
  at::Tensor exact_mean(const at::Tensor& y_BD) const {
    const at::Tensor gain_DD = covariance().matmul((covariance() + kNoise * kNoise * at::eye(2, at::kDouble)).inverse());
    return mean_D + (y_BD.to(at::kDouble) - mean_D).matmul(gain_DD.t());
  }
  at::Tensor covariance() const { return factor_DD.matmul(factor_DD.t()); }
};

}  // namespace unchannel
