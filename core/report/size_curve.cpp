#include "size_curve.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>

namespace unchannel::report {
namespace {

struct MeanAndError {
  double mean, standard_error;
};

MeanAndError mean_of(const std::vector<double>& values) {
  const auto count = static_cast<double>(values.size());
  double mean = 0.0, squares = 0.0;
  for (const double value : values) mean += value / count;
  for (const double value : values) squares += (value - mean) * (value - mean);
  const double error = count > 1 ? std::sqrt(squares / (count - 1) / count) : std::numeric_limits<double>::quiet_NaN();
  return {mean, error};
}

Series dots(const std::vector<CurveRun>& runs, double CurveRun::*value, Tone tone) {
  Series series;
  series.tone = tone;
  series.mark = Mark::kPoints;
  series.width = 3.0;
  for (const CurveRun& run : runs) {
    series.x.push_back(static_cast<double>(run.observations));
    series.y.push_back(run.*value);
  }
  return series;
}

Series line(const std::vector<CurvePoint>& points, double CurvePoint::*value, Tone tone, Mark mark, const std::string& label) {
  Series series;
  series.label = label;
  series.tone = tone;
  series.mark = mark;
  series.width = 1.8;
  for (const CurvePoint& point : points) {
    series.x.push_back(static_cast<double>(point.observations));
    series.y.push_back(point.*value);
  }
  return series;
}

}  // namespace

CurveRun curve_run(const RunHistory& history, std::int64_t observations, std::int64_t key, const std::string& folder) {
  CurveRun run{observations, key, folder};
  for (const Evaluation& evaluation : history.evaluations) {
    if (!std::isfinite(evaluation.monitor_rmse)) continue;
    run.rmse = evaluation.monitor_rmse;
    run.least_rmse = std::isfinite(run.least_rmse) ? std::min(run.least_rmse, run.rmse) : run.rmse;
  }
  check<DataError>(std::isfinite(run.rmse), "{}: its metrics.jsonl holds no finite monitor_rmse. Remove the folder and train again.", folder);
  if (history.test) run.test_gap = history.test->gap_excess_relative;
  return run;
}

std::vector<CurvePoint> curve_points(const std::vector<CurveRun>& runs) {
  std::map<std::int64_t, std::vector<CurveRun>> sizes;
  for (const CurveRun& run : runs) sizes[run.observations].push_back(run);
  std::vector<CurvePoint> points;
  for (const auto& [observations, same] : sizes) {
    std::vector<double> rmse, least;
    for (const CurveRun& run : same) {
      rmse.push_back(run.rmse);
      least.push_back(run.least_rmse);
    }
    const MeanAndError last = mean_of(rmse), best = mean_of(least);
    points.push_back({observations, static_cast<std::int64_t>(same.size()), last.mean, last.standard_error, best.mean, best.standard_error});
  }
  return points;
}

Figure curve_figure(const std::vector<CurveRun>& runs) {
  const std::vector<CurvePoint> points = curve_points(runs);
  Panel panel;
  panel.x = {.label = "observations", .logarithmic = true};
  panel.y = {.label = "RMSE [data units]", .logarithmic = true};
  panel.series = {line(points, &CurvePoint::rmse, Tone::kBlue, Mark::kLine, "at the end"), dots(runs, &CurveRun::rmse, Tone::kBlue),
                  line(points, &CurvePoint::least_rmse, Tone::kOrange, Mark::kDashed, "least on the way"),
                  dots(runs, &CurveRun::least_rmse, Tone::kOrange)};
  Figure figure;
  figure.width = 640;
  figure.panels = {panel};
  figure.arrange(1, 400);
  figure.description = "Error of restorations of the monitored observations against the number of observations trained on";
  return figure;
}

nlohmann::json curve_json(const std::vector<CurveRun>& runs) {
  nlohmann::json json = {{"runs", nlohmann::json::array()}, {"points", nlohmann::json::array()}};
  for (const CurveRun& run : runs) {
    json["runs"].push_back({{"observations", run.observations},
                            {"key", run.key},
                            {"folder", run.folder},
                            {"rmse_data_units", run.rmse},
                            {"least_rmse_data_units", run.least_rmse},
                            {"test_gap_excess_relative", run.test_gap}});
  }
  for (const CurvePoint& point : curve_points(runs)) {
    json["points"].push_back({{"observations", point.observations},
                              {"runs", point.runs},
                              {"rmse_data_units", point.rmse},
                              {"rmse_standard_error_data_units", point.rmse_standard_error},
                              {"least_rmse_data_units", point.least_rmse},
                              {"least_rmse_standard_error_data_units", point.least_rmse_standard_error}});
  }
  return json;
}

}  // namespace unchannel::report
