#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "figure.hpp"
#include "html.hpp"

namespace unchannel::report {

/// What `unchannel posterior` measured of its sampler: RUN/posterior/calibration.json.
struct RecordedCalibration {
  double pairs = 0, samples = 0;
  double coverage_50 = 0, coverage_50_error = 0, coverage_90 = 0, coverage_90_error = 0;  ///< fractions
  double direction_p_value = 0, element_p_value = 0, tarp_p_value = 0;
  double mean_rmse = 0, draw_rmse = 0, spread = 0;                                        ///< data units
  std::vector<double> direction_histogram, element_histogram, tarp_histogram;             ///< shares of ranks
};

/// Whether the run has a calibrated sampler.
bool holds_calibration(const std::filesystem::path& run);
/// Throws DataError when the file is damaged.
RecordedCalibration read_calibration(const std::filesystem::path& run);

/// Histograms of the ranks, which are flat for a calibrated posterior.
Figure calibration_figure(const RecordedCalibration& calibration);

/// "Posterior": coverage, tests of the ranks and what the intervals leave out. Nothing for a run without a sampler.
void add_posterior_section(HtmlPage& page, const std::filesystem::path& run);

}  // namespace unchannel::report
