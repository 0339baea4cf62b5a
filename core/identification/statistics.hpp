#pragma once

#include <functional>
#include <optional>
#include <vector>

#include <unchannel/diagnostics/gap_test.hpp>
#include <unchannel/diagnostics/opened_run.hpp>

#include "calibration.hpp"
#include "profile.hpp"
#include "signal_set.hpp"

namespace unchannel::identification {

/// The statistics of a profile: the gap always; beside it the one that the constraint names in advance, "outside" (SignalSet::outside_rms)
/// or "calibration". `margin`: verdict.margin. A fifth of 1 − level goes to the gap where there is another one.
std::vector<Statistic> statistics_of(const UnknownSettings& unknown, double margin);

/// A figure of samples, simulated less observed, beside the simulated worlds of the gap's test. Worlds have fewer rows, so that the chance
/// of the training rows, which they do not repeat, is paid for; here it counts for the simulated figure alone, since the observed one knows
/// nothing of the fit: error² = (Var(s − o) n*/n + Var(s) n*/n_training), n* and n the held-out rows of a world and of the data.
Discrepancy figure_discrepancy(const diagnostics::GapTest& test, double training_rows);

/// What is compared at every value of the parameter.
struct Comparison {
  const UnknownSettings& unknown;
  std::optional<CalibrationSet> calibration;
  std::function<void(std::int64_t)> progress = {};  ///< called with the number of worlds done; may be empty, may throw to stop
};

/// The statistics of one trained run, in the order of statistics_of. Throws what test_gap throws, ConfigError (SignalSet), and DataError
/// when there are fewer than kLeastRows held-out rows in a split.
std::vector<Discrepancy> measure_run(const diagnostics::OpenedRun& run, const Comparison& comparison);

}  // namespace unchannel::identification
