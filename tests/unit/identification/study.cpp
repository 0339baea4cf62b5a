#include "study.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include <unchannel/data/dataset.hpp>
#include <unchannel/identification/search.hpp>
#include <unchannel/identification/statistics.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/trainer.hpp>
#include <unchannel/test_support/kernel_channel.hpp>
#include <unchannel/test_support/temp_dir.hpp>

// Shape legend: N rows · D data dimension
namespace unchannel::identification_study {
namespace {

using namespace identification;

constexpr std::int64_t kDimension = 8, kRows = 2000, kCalibrationRows = 200;
constexpr double kNoiseBesideTheKernel = 0.3;

/// A circulant Gaussian kernel.
at::Tensor gaussian_kernel(double width) {
  at::Tensor kernel_DD = at::zeros({kDimension, kDimension});
  for (std::int64_t i = 0; i < kDimension; ++i) {
    for (std::int64_t j = 0; j < kDimension; ++j) {
      double value = 0;
      for (std::int64_t k = 0; k < kDimension; ++k) {
        const double turn = 2 * M_PI * static_cast<double>(std::min(k, kDimension - k)) / kDimension;
        value += std::exp(-0.5 * width * width * turn * turn) * std::cos(turn * static_cast<double>(i - j)) / kDimension;
      }
      kernel_DD[i][j] = value;
    }
  }
  return kernel_DD;
}

std::unique_ptr<Channel> channel_at(const Case& study, double value) {
  if (study.parameter == Parameter::kNoise) return std::make_unique<test_support::KernelChannel>(gaussian_kernel(0.0), value);
  return std::make_unique<test_support::KernelChannel>(gaussian_kernel(value), kNoiseBesideTheKernel);
}

/// Elements 6 and 7 hold no signal where that is the constraint; in "half" it is elements 4 to 7.
at::Tensor signals(const Case& study, RandomKey key, const at::Tensor& ids_N) {
  at::Tensor scale_D = at::linspace(1.2, 0.8, kDimension);
  if (study.signals == Signals::kHalf) scale_D.slice(0, kDimension / 2, kDimension).zero_();
  if (study.constraint == "signal_free") scale_D.slice(0, 6, kDimension).zero_();
  const at::Tensor normal_ND = normal_rows(key, ids_N, kDimension);
  return (study.signals == Signals::kPositive ? normal_ND.square() : normal_ND) * scale_D;
}

UnknownSettings unknown_of(const Case& study, const std::filesystem::path& folder) {
  UnknownSettings unknown;
  unknown.parameter = study.parameter == Parameter::kNoise ? "sigma" : "width";
  unknown.prior = study.constraint == "prior" ? "normal" : "uniform";
  unknown.low = study.low;
  unknown.high = study.high;
  unknown.mean = study.truth;
  unknown.deviation = 0.2 * study.truth;
  unknown.constraint = study.constraint;
  if (study.constraint == "signal_free") unknown.signal_free_elements = {6, 7};
  if (study.constraint == "calibration") {
    unknown.calibration_signals = folder / "known.h5";
    unknown.calibration_observations = folder / "seen.h5";
  }
  unknown.refit = study.refit;
  unknown.refinements = 2;
  unknown.worlds = 40;
  return unknown;
}

TrainSettings settings_of(const Case& study, const std::filesystem::path& folder, std::uint64_t seed) {
  TrainSettings settings;
  settings.data.observations = folder / "observed.h5";
  settings.data.early_stop_rows = settings.data.test_rows = 400;
  settings.interpolant.time_levels = 8;
  settings.model.family = study.signals == Signals::kPositive ? "mlp" : "affine";
  settings.model.space = "elements";
  settings.model.width = 48;
  settings.model.depth = study.signals == Signals::kPositive ? 1 : 4;
  if (study.constraint == "range") settings.model.signal_min = 0.0;
  settings.transport.solver = "heun";
  settings.transport.steps = settings.transport.restore_steps = 4;
  settings.start.kind = "linear";
  settings.start.components = kDimension;
  settings.start.probes = 2048;
  settings.start.rounds = 3;
  settings.start.em_steps = 20;
  settings.start.weighting = "none";
  settings.scsi.steps = 160;
  settings.scsi.batch = 256;
  settings.scsi.mixture = 1.0;
  settings.scsi.pool = 1200;
  settings.scsi.refresh_every = 4;
  settings.scsi.refresh_rows = 300;
  settings.scsi.first_refresh = 20;
  settings.optimiser.learning_rate = 3e-3;
  settings.optimiser.ema_horizon_steps = 20;
  settings.run.key = static_cast<std::int64_t>(seed);
  settings.run.evaluate_every = settings.run.checkpoint_every = 100000;
  return settings;
}

void write(const std::filesystem::path& path, DatasetKind kind, const at::Tensor& rows_ND) {
  DatasetWriter writer(path, kind, {kDimension});
  const at::Tensor rows = rows_ND.contiguous();
  writer.append({rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
  writer.close();
}

/// Data of one seed, and trainings on them.
class Bench {
 public:
  Bench(const Case& study, std::uint64_t seed)
      : study_(study), unknown_(unknown_of(study, folder_.path())), settings_(settings_of(study, folder_.path(), seed)) {
    at::set_num_threads(1);
    unknown_.check_consistency(study.constraint == "range");
    const RandomKey key(seed);
    const std::unique_ptr<Channel> truth = channel_at(study, study.truth);
    const at::Tensor ids_N = at::arange(kRows + kCalibrationRows, at::kLong), x_ND = signals(study, key.derive(1), ids_N);
    const at::Tensor y_ND = truth->simulate(x_ND, {}, key.derive(2), ids_N);
    write(folder_ / "observed.h5", DatasetKind::observations, y_ND.slice(0, 0, kRows));
    write(folder_ / "known.h5", DatasetKind::signals, x_ND.slice(0, kRows));
    write(folder_ / "seen.h5", DatasetKind::observations, y_ND.slice(0, kRows));
  }

  const UnknownSettings& unknown() const { return unknown_; }
  std::vector<Statistic> statistics() const { return statistics_of(unknown_, settings_.verdict.margin); }

  std::vector<Discrepancy> measure(double value, std::optional<double> neighbour) const {
    TrainSettings settings = settings_;
    if (neighbour && unknown_.refit == "weights") {
      settings.start.kind = "run";
      settings.start.run = path_of(*neighbour);
      settings.scsi.first_refresh = 0;
    }
    settings.check_consistency();
    const std::unique_ptr<Channel> channel = with_signal_set(channel_at(study_, value), unknown_, settings.model);
    RunFolder run = RunFolder::create(path_of(value));
    run.write_config(settings_to_toml([&settings](SettingsVisitor& visitor) { settings.visit(visitor); }));
    Trainer trainer(settings, *channel, run, {});
    trainer.start();
    trainer.run();
    Comparison comparison{unknown_, std::nullopt};
    if (unknown_.constraint == "calibration")
      comparison.calibration = read_calibration(unknown_.calibration_signals, unknown_.calibration_observations, *channel);
    return measure_run(diagnostics::OpenedRun(run.path(), settings, *channel), comparison);
  }

 private:
  std::filesystem::path path_of(double value) const { return folder_ / fmt::format("at-{}", value); }

  const Case& study_;
  test_support::TempDir folder_;
  UnknownSettings unknown_;
  TrainSettings settings_;
};

}  // namespace

const std::vector<Case>& cases() {
  using enum Parameter;
  using enum Signals;
  static const std::vector<Case> all = {
      {"noise, Gaussian signals, signal_free", 42001, 100, kNoise, kGaussian, "signal_free", 0.7, 0.2, 1.5},
      {"noise, Gaussian signals, none", 41001, 20, kNoise, kGaussian, "none", 0.7, 0.2, 1.5},
      {"noise, signals in half of the directions, largest", 45001, 10, kNoise, kHalf, "largest", 0.7, 0.2, 1.5},
      {"noise, Gaussian signals, calibration", 43001, 10, kNoise, kGaussian, "calibration", 0.7, 0.2, 1.5},
      {"noise, Gaussian signals, prior", 44001, 10, kNoise, kGaussian, "prior", 0.7, 0.2, 1.5},
      {"noise, positive signals, range", 46001, 10, kNoise, kPositive, "range", 0.5, 0.1, 1.2},
      {"width, Gaussian signals, none", 47001, 10, kWidth, kGaussian, "none", 0.8, 0.2, 1.6},
      {"width, Gaussian signals, signal_free", 48001, 10, kWidth, kGaussian, "signal_free", 0.8, 0.2, 1.6},
      {"width, Gaussian signals, calibration", 49001, 10, kWidth, kGaussian, "calibration", 0.8, 0.2, 1.6},
      {"noise, signals in half of the directions, none, refit from weights", 50001, 10, kNoise, kHalf, "none", 0.7, 0.2, 1.5, "weights"},
  };
  return all;
}

const Case& case_named(const std::string& name) {
  const auto found = std::ranges::find(cases(), name, &Case::name);
  if (found == cases().end()) throw std::invalid_argument(name + " is no case of the study");
  return *found;
}

Outcome run(const Case& study, std::uint64_t seed) {
  const Bench bench(study, seed);
  const Profile profile = search(bench.unknown(), bench.statistics(), [&](double value, std::optional<double> neighbour) {
    return std::vector<std::vector<Discrepancy>>{bench.measure(value, neighbour)};
  });
  return {judge(profile, bench.unknown()), profile};
}

Mismatch mismatch(const Case& study, double assumed, std::uint64_t seed) {
  const Bench bench(study, seed);
  const Discrepancy gap = bench.measure(assumed, std::nullopt).front();
  const Statistic statistic{"gap", false, bench.statistics().front().tolerance, 0.05};
  return {gap.excess, gap.error, (gap.excess - statistic.tolerance) / gap.error > statistic.limit()};
}

}  // namespace unchannel::identification_study
