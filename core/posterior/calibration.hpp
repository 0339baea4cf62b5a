#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <vector>

#include <unchannel/metrics/draw_accuracy.hpp>
#include <unchannel/metrics/posterior_ranks.hpp>

// Shape legend: N pairs · S draws of each · D data dimension
namespace unchannel {

/// Ranks of truths among draws in several scalar functions, and their test.
struct RankSummary {
  std::vector<double> p_values;   ///< of each function
  double p_value = 1;             ///< of all: the smallest times their number (Bonferroni), at most 1
  std::vector<double> histogram;  ///< share of all ranks in each of at most 20 bins
};

/// Whether draws given simulated observations are calibrated, and how wide they are. Lengths are in data units.
struct Calibration {
  std::int64_t pairs = 0, samples = 0;
  RankSummary directions;  ///< along the leading principal directions of the true signals, at most 16
  RankSummary elements;    ///< in as many single elements, evenly spread over those that vary at least as much as the median one
  metrics::RankTest tarp;
  metrics::Estimate coverage_50, coverage_90;  ///< share of all elements inside their central interval
  double mean_rmse = 0, draw_rmse = 0;         ///< of the mean of the draws, and of one draw
  double spread = 0;                           ///< root mean variance of the draws; mean_rmse² is spread² (1 + 1/S) where they are calibrated
};

/// Collects pairs block by block, so that all draws are never held at once.
class CalibrationCollector {
 public:
  /// The true signals of all pairs [N, D] fix the functions; N ≥ 20.
  CalibrationCollector(const at::Tensor& truth_ND, std::int64_t samples);

  /// Draws [B, S, D] for pairs first … first + B − 1.
  void add(std::int64_t first, const at::Tensor& draws_BSD);
  /// After the last pair.
  Calibration result() const;

 private:
  at::Tensor truth_ND_, directions_DK_, elements_K_;
  std::int64_t samples_;
  std::vector<at::Tensor> direction_ranks_, element_ranks_, tarp_ranks_, draw_errors_;
  metrics::DrawAccuracy accuracy_;
};

/// Units are part of the keys.
nlohmann::json to_json(const Calibration& calibration);

}  // namespace unchannel
