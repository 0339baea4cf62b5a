#pragma once

#include <ATen/core/Tensor.h>

#include <filesystem>
#include <string>
#include <vector>

// Shape legend: K evaluations · Q coordinates
namespace unchannel::diagnostics {

/// One evaluation of a training, as metrics.jsonl has it.
struct TrajectoryPoint {
  double step = 0;
  double outer = 0;  ///< outer iterations
  double learning_rate = 0;
  double gap = 0;                                ///< consistency gap of the early-stop observations, share of their spread
  double residual_excess = 0;                    ///< held_out_residual_rms / training_rows_residual_rms − 1
  std::vector<double> mean_gap_Q, spread_gap_Q;  ///< simulated less held-out observations, shares of the spread
};

/// The evaluations of a run, in order, without those whose figures are not finite. Throws DataError when the file is missing or damaged.
std::vector<TrajectoryPoint> read_trajectory(const std::filesystem::path& metrics);

/// The evaluations that tell whether the outer iteration still moves: after the first refresh, while the learning rate is at least a fifth
/// of its peak, so that a fit which has come to rest for want of a learning rate is not taken for one that is done; without the first third
/// of these outer iterations, in which the network itself is still being learnt.
std::vector<TrajectoryPoint> outer_window(const std::vector<TrajectoryPoint>& points, double peak_learning_rate);

/// [K, Q, 2] float64: gaps of means and spreads.
at::Tensor law_of(const std::vector<TrajectoryPoint>& points);

/// By how much a series has risen above its least value: running means of three, which must differ by four standard errors.
struct Rise {
  double height = 0;
  bool significant = false;
};
Rise rise_over_least(const std::vector<double>& values);

}  // namespace unchannel::diagnostics
