#include "calibration.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/scsi/observed_rows.hpp>

namespace unchannel::identification {
namespace {

constexpr std::int64_t kLeastRows = 8;
constexpr std::int64_t kMeanRuns = 16;
constexpr double kLeastError = 1e-6;  // of the observations' spread, where a channel has no noise

at::Tensor simulated(const CalibrationSet& set, const Channel& channel, RandomKey key, std::int64_t run) {
  const std::int64_t rows = set.x_ND.size(0);
  return measure(channel, set.x_ND, set.latents, key, at::arange(run * rows, (run + 1) * rows, at::kLong)).to(at::kDouble);
}

double rms(const at::Tensor& residual_NM) { return residual_NM.square().sum(1).mean().sqrt().item<double>(); }

}  // namespace

CalibrationSet read_calibration(const std::string& signals, const std::string& observations, const Channel& channel) {
  const DatasetReader known(signals, DatasetKind::signals), seen(observations, DatasetKind::observations);
  check<ConfigError>(
      known.rows() == seen.rows() && known.rows() >= static_cast<std::uint64_t>(kLeastRows),
      "unknown.calibration_signals {} has {} rows, unknown.calibration_observations {} has {}; row i must be the observation of "
      "signal i, and {} rows are needed.",
      signals, known.rows(), observations, seen.rows(), kLeastRows);
  check_row_size(known, channel);
  check_row_size(seen, channel);
  const ObservationBatch batch = read_observations(seen, channel, 0, seen.rows());
  return {read_rows(known, row_range(0, known.rows())), batch.raw_BM, batch.latents};
}

Discrepancy calibration_discrepancy(const CalibrationSet& set, const Channel& channel, std::int64_t worlds, RandomKey key) {
  const at::NoGradGuard no_grad;
  const at::Tensor y_NM = set.y_NM.to(at::kDouble);
  at::Tensor mean_NM = at::zeros_like(y_NM);
  for (std::int64_t run = 0; run < kMeanRuns; ++run)
    mean_NM += simulated(set, channel, key.derive(1), run) / static_cast<double>(kMeanRuns);
  const double observed = rms(y_NM - mean_NM);
  double sum = 0, squares = 0;
  for (std::int64_t world = 0; world < worlds; ++world) {
    const double excess = rms(simulated(set, channel, key.derive(2), world) - mean_NM) - observed;
    sum += excess;
    squares += excess * excess;
  }
  const auto count = static_cast<double>(worlds);
  const double mean = sum / count, variance = std::max(0.0, squares / count - mean * mean) * count / (count - 1);
  const double least = kLeastError * rms(y_NM - y_NM.mean(0)) + 1e-300;
  return {mean, std::max(std::sqrt(variance), least)};
}

}  // namespace unchannel::identification
