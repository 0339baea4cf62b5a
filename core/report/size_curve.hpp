#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "figure.hpp"
#include "run_history.hpp"

namespace unchannel::report {

/// One finished run of a data-size curve.
struct CurveRun {
  std::int64_t observations = 0;  ///< data.rows: training, early-stop and test rows together
  std::int64_t key = 0;
  std::string folder;
  double rmse = Evaluation::kAbsent;        ///< monitored error at the last evaluation, data units
  double least_rmse = Evaluation::kAbsent;  ///< least of all evaluations: an early stop that knew the truth
  double test_gap = Evaluation::kAbsent;    ///< consistency gap on the test split, share of the spread
};

/// The figures of a run that has monitored an error. Throws DataError when the history has none.
CurveRun curve_run(const RunHistory& history, std::int64_t observations, std::int64_t key, const std::string& folder);

/// Mean over the runs of one size. The standard error is NaN for a single run.
struct CurvePoint {
  std::int64_t observations = 0;
  std::int64_t runs = 0;
  double rmse = 0.0, rmse_standard_error = 0.0;
  double least_rmse = 0.0, least_rmse_standard_error = 0.0;
};

/// One point per size, in rising order.
std::vector<CurvePoint> curve_points(const std::vector<CurveRun>& runs);

/// Error against the number of observations, both logarithmic: means as lines, runs as dots.
Figure curve_figure(const std::vector<CurveRun>& runs);

/// `runs` and `points`; NaN becomes null.
nlohmann::json curve_json(const std::vector<CurveRun>& runs);

}  // namespace unchannel::report
