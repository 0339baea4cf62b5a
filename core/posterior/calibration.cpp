#include "calibration.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::int64_t kFunctions = 16;
constexpr std::int64_t kBins = 20;

at::Tensor principal_directions(const at::Tensor& truth_ND) {
  const at::Tensor centred_ND = (truth_ND - truth_ND.mean(0)).to(at::kFloat);
  const at::Tensor vectors_DK = std::get<2>(at::linalg_svd(centred_ND, /*full_matrices=*/false)).t();
  return vectors_DK.slice(1, 0, std::min(kFunctions, vectors_DK.size(1))).contiguous();
}

/// Elements whose spread is at least the median one, evenly thinned.
at::Tensor varying_elements(const at::Tensor& truth_ND) {
  const at::Tensor spread_D = truth_ND.std(0);
  const at::Tensor varying = spread_D.ge(spread_D.median()).nonzero().squeeze(1);
  const std::int64_t count = std::min(kFunctions, varying.numel());
  return varying.index_select(0, at::arange(count, at::kLong).mul(varying.numel()).div_(count, "floor"));
}

RankSummary summary_of(const at::Tensor& ranks_NK, std::int64_t samples) {
  RankSummary result;
  for (const at::Tensor& ranks_N : ranks_NK.unbind(1)) {
    const metrics::RankTest test = metrics::rank_test(ranks_N, samples, kBins);
    result.p_values.push_back(test.p_value);
    if (result.histogram.empty()) result.histogram.assign(test.counts.size(), 0.0);
    for (std::size_t bin = 0; bin < test.counts.size(); ++bin) result.histogram[bin] += test.counts[bin] / static_cast<double>(ranks_NK.numel());
  }
  const double smallest = *std::min_element(result.p_values.begin(), result.p_values.end());
  result.p_value = std::min(1.0, smallest * static_cast<double>(result.p_values.size()));
  return result;
}

nlohmann::json to_json(const RankSummary& summary) {
  return {{"p_value", summary.p_value}, {"p_values", summary.p_values}, {"histogram", summary.histogram}};
}

nlohmann::json to_json(const metrics::Estimate& estimate) { return {{"value", estimate.value}, {"standard_error", estimate.standard_error}}; }

}  // namespace

CalibrationCollector::CalibrationCollector(const at::Tensor& truth_ND, std::int64_t samples)
    : truth_ND_(truth_ND), directions_DK_(principal_directions(truth_ND)), elements_K_(varying_elements(truth_ND)), samples_(samples) {}

void CalibrationCollector::add(std::int64_t first, const at::Tensor& draws_BSD) {
  const at::NoGradGuard no_grad;
  const RandomKey key = metrics::default_metric_key().derive(static_cast<std::uint64_t>(first));
  const at::Tensor truth_BD = truth_ND_.slice(0, first, first + draws_BSD.size(0));
  // Another pair's signal is independent of this one's, observation included.
  const at::Tensor reference_BD = truth_ND_.roll(1, 0).slice(0, first, first + draws_BSD.size(0));
  direction_ranks_.push_back(metrics::posterior_ranks(truth_BD.matmul(directions_DK_), draws_BSD.matmul(directions_DK_), key.derive(1)));
  element_ranks_.push_back(
      metrics::posterior_ranks(truth_BD.index_select(1, elements_K_), draws_BSD.index_select(2, elements_K_), key.derive(2)));
  tarp_ranks_.push_back(metrics::tarp_ranks(truth_BD, draws_BSD, reference_BD, key.derive(3)));
  accuracy_.add(truth_BD, draws_BSD, key.derive(4));
  draw_errors_.push_back((draws_BSD.select(1, 0) - truth_BD).square().mean(1));
}

Calibration CalibrationCollector::result() const {
  Calibration result;
  result.samples = samples_;
  result.directions = summary_of(at::cat(direction_ranks_), samples_);
  result.elements = summary_of(at::cat(element_ranks_), samples_);
  const at::Tensor tarp_N = at::cat(tarp_ranks_);
  result.pairs = tarp_N.size(0);
  result.tarp = metrics::rank_test(tarp_N, samples_, kBins);
  result.coverage_50 = accuracy_.coverage_50();
  result.coverage_90 = accuracy_.coverage_90();
  result.mean_rmse = accuracy_.mean_rmse().value;
  result.draw_rmse = std::sqrt(at::cat(draw_errors_).mean().item<double>());
  result.spread = accuracy_.spread();
  return result;
}

nlohmann::json to_json(const Calibration& calibration) {
  std::vector<double> tarp;
  for (const double count : calibration.tarp.counts) tarp.push_back(count / static_cast<double>(calibration.pairs));
  return {{"pairs", calibration.pairs},
          {"samples", calibration.samples},
          {"sbc_directions", to_json(calibration.directions)},
          {"sbc_elements", to_json(calibration.elements)},
          {"tarp", {{"p_value", calibration.tarp.p_value}, {"histogram", tarp}}},
          {"coverage_50", to_json(calibration.coverage_50)},
          {"coverage_90", to_json(calibration.coverage_90)},
          {"mean_rmse_data_units", calibration.mean_rmse},
          {"draw_rmse_data_units", calibration.draw_rmse},
          {"spread_data_units", calibration.spread}};
}

}  // namespace unchannel
