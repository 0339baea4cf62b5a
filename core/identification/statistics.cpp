#include "statistics.hpp"

#include <ATen/core/Tensor.h>

#include <algorithm>
#include <cmath>

#include <unchannel/base/error.hpp>

namespace unchannel::identification {
namespace {

constexpr double kShareOfTheGap = 0.2;

double variance_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, square = 0;
  for (const double value : values) mean += value / count;
  for (const double value : values) square += (value - mean) * (value - mean) / (count - 1);
  return square;
}

}  // namespace

std::vector<Statistic> statistics_of(const UnknownSettings& unknown, double margin) {
  const double rejection = 1.0 - unknown.level;
  const bool outside = unknown.constraint == "signal_free" || unknown.constraint == "range";
  const bool calibrated = unknown.constraint == "calibration";
  if (!outside && !calibrated) return {{"gap", false, margin, rejection}};
  return {{"gap", false, margin, kShareOfTheGap * rejection},
          {outside ? "outside" : "calibration", true, 0.0, (1.0 - kShareOfTheGap) * rejection}};
}

Discrepancy figure_discrepancy(const diagnostics::GapTest& test, double training_rows) {
  std::vector<double> simulated, difference;
  double expected = 0;
  for (const diagnostics::ComparedFigure& world : test.figure_worlds) {
    simulated.push_back(world.simulated);
    difference.push_back(world.simulated - world.observed);
    expected += difference.back() / static_cast<double>(test.figure_worlds.size());
  }
  const double variance =
      variance_of(difference) * test.world_rows / test.held_out_rows + variance_of(simulated) * test.world_rows / training_rows;
  const double scale = std::max(std::abs(test.figure.simulated), std::abs(test.figure.observed));
  return {test.figure.simulated - test.figure.observed - expected, std::max(std::sqrt(variance), 1e-9 * scale)};
}

std::vector<Discrepancy> measure_run(const diagnostics::OpenedRun& run, const Comparison& comparison) {
  const diagnostics::GapTestCase test = diagnostics::gap_test_case(run);
  const std::optional<SignalSet> set = SignalSet::declared(comparison.unknown, run.settings.model, run.observations.signal_size());
  diagnostics::GapTestOptions options{
      .margin = run.settings.verdict.margin, .replicas = comparison.unknown.worlds, .progress = comparison.progress};
  if (set) options.figure = [&set](const at::Tensor& rows_ND) { return set->outside_rms(rows_ND); };
  const diagnostics::GapTest gap = diagnostics::test_gap(test, options);
  std::vector<Discrepancy> found = {{gap.excess, std::max(gap.error, 1e-9)}};
  if (set) found.push_back(figure_discrepancy(gap, static_cast<double>(run.observations.training_rows())));
  if (comparison.calibration) {
    found.push_back(
        calibration_discrepancy(*comparison.calibration, run.channel, comparison.unknown.worlds, run.key.derive(Purpose::kMetric)));
  }
  return found;
}

}  // namespace unchannel::identification
