#include "verdict_study.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/data/dataset.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/kernel_channel.hpp>
#include <unchannel/test_support/temp_dir.hpp>

// Shape legend: N rows · D data dimension
namespace unchannel::verdict_study {
namespace {

constexpr std::int64_t kDimension = 12, kRows = 5024;  // 4,000 for training

/// Orthonormal cosines and sines, column k at frequency (k + 1)/2, and the gain of each.
at::Tensor fourier_basis() {
  at::Tensor basis_DD = at::empty({kDimension, kDimension}, at::kFloat);
  const at::Tensor place_D = at::arange(kDimension, at::kFloat) * (2 * M_PI / kDimension);
  for (std::int64_t k = 0; k < kDimension; ++k) {
    const at::Tensor angle_D = place_D * ((k + 1) / 2);
    const at::Tensor wave_D = k % 2 == 1 || k == 0 ? angle_D.cos() : angle_D.sin();
    basis_DD.select(1, k).copy_(wave_D / wave_D.norm());
  }
  return basis_DD;
}

/// A circulant kernel of given gains.
at::Tensor kernel_of(const std::vector<double>& gains) {
  const at::Tensor basis_DD = fourier_basis();
  at::Tensor gain_D = at::empty({kDimension}, at::kFloat);
  for (std::int64_t k = 0; k < kDimension; ++k) gain_D[k] = gains[static_cast<std::size_t>((k + 1) / 2)];
  return (basis_DD * gain_D).matmul(basis_DD.t());
}

std::vector<double> gaussian_gains(double width) {
  std::vector<double> gains;
  for (int k = 0; k <= kDimension / 2; ++k) gains.push_back(std::exp(-0.5 * std::pow(width * 2 * M_PI * k / kDimension, 2)));
  return gains;
}

/// A running mean over `width` places.
std::vector<double> box_gains(int width) {
  std::vector<double> gains;
  for (int k = 0; k <= kDimension / 2; ++k) {
    double gain = 0;
    for (int j = 0; j < width; ++j) gain += std::cos(2 * M_PI * k * (j - (width - 1) / 2.0) / kDimension) / width;
    gains.push_back(gain);
  }
  return gains;
}

at::Tensor signals(const Case& study, RandomKey key, const at::Tensor& ids_N) {
  at::Tensor scale_D = at::zeros({kDimension});
  for (std::int64_t k = 0; k < study.signal_components; ++k) scale_D[k] = 1.2 - 0.05 * static_cast<double>(k);
  at::Tensor component_ND = normal_rows(key.derive(1), ids_N, kDimension);
  if (study.two_humps) {
    at::Tensor leading_N2 = component_ND.slice(1, 0, 2);
    leading_N2.copy_(0.3 * leading_N2 + normal_rows(key.derive(3), ids_N, 2).sign());
  }
  return (component_ND * scale_D).matmul(fourier_basis().t());
}

TrainSettings settings_of(const Case& study, const std::string& observations, std::uint64_t seed) {
  TrainSettings settings;
  settings.data.observations = observations;
  settings.data.early_stop_rows = settings.data.test_rows = 512;
  settings.interpolant.time_levels = 8;
  settings.model.space = "elements";
  settings.model.width = 48;
  settings.model.depth = 1;
  settings.transport.solver = "heun";
  settings.transport.steps = settings.transport.restore_steps = 4;
  settings.start.kind = study.unfinished ? "observation" : "linear";
  settings.start.components = kDimension;
  settings.start.probes = 4096;
  settings.start.rounds = 4;
  settings.start.em_steps = 20;
  settings.start.weighting = "none";
  settings.scsi.steps = study.unfinished ? 160 : 400;
  settings.scsi.batch = 256;
  settings.scsi.mixture = 1.0;
  settings.scsi.pool = 2000;
  settings.scsi.refresh_every = 4;
  settings.scsi.refresh_rows = 250;
  settings.scsi.first_refresh = 20;
  settings.optimiser.learning_rate = 1e-3;
  settings.optimiser.ema_horizon_steps = 50;
  settings.run.key = static_cast<std::int64_t>(seed);
  settings.run.evaluate_every = settings.scsi.steps / 40;
  settings.run.checkpoint_every = settings.scsi.steps;
  settings.check_consistency();
  return settings;
}

}  // namespace

const std::vector<Case>& cases() {
  const std::vector<double> flat(kDimension / 2 + 1, 1.0), narrow = gaussian_gains(0.6);
  static const std::vector<Case> all = {
      {"right simulator, Gaussian signals", Expected::kConverged, 11001, flat, 0.7, flat, 0.7, 6},
      {"right simulator, signals of two humps", Expected::kConverged, 12001, flat, 0.7, flat, 0.7, 6, true},
      {"right simulator, stopped too early", Expected::kNoClaim, 13001, flat, 0.7, flat, 0.7, 6, false, true},
      {"noise 20 % too large, half of the directions without signal", Expected::kUnexplained, 14001, flat, 0.7, flat, 0.84, 6},
      {"Gaussian kernel 2.5 times too wide", Expected::kUnexplained, 15001, narrow, 0.4, gaussian_gains(1.5), 0.4},
      {"box of 4 for a Gaussian kernel", Expected::kUnexplained, 16001, narrow, 0.4, box_gains(4), 0.4},
      {"noise 25 % too small, Gaussian signals in all directions", Expected::kNoClaim, 17001, flat, 0.7, flat, 0.525},
  };
  return all;
}

diagnostics::RunVerdict run(const Case& study, std::uint64_t seed) {
  at::set_num_threads(1);
  const test_support::TempDir folder;
  const RandomKey key(seed);
  const at::Tensor ids_N = at::arange(kRows, at::kLong);
  const test_support::KernelChannel truth(kernel_of(study.true_gains), study.true_sigma), assumed(kernel_of(study.assumed_gains), study.assumed_sigma);
  const at::Tensor y_ND = truth.simulate(signals(study, key, ids_N), {}, key.derive(2), ids_N).contiguous();
  DatasetWriter writer(folder / "observed.h5", DatasetKind::observations, {kDimension});
  writer.append({y_ND.const_data_ptr<float>(), static_cast<std::size_t>(y_ND.numel())});
  writer.close();
  const TrainSettings settings = settings_of(study, (folder / "observed.h5").string(), seed);
  RunFolder run = RunFolder::create(folder / "run");
  run.write_config("study = true\n");
  Trainer trainer(settings, assumed, run, {});
  trainer.start();
  trainer.run();
  return diagnostics::judge_run(run.path(), settings, assumed, {});
}

}  // namespace unchannel::verdict_study
