#include "trajectory.hpp"

#include <ATen/core/IListRef.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>

namespace unchannel::diagnostics {
namespace {

/// The point of a line; false where the line is none or holds figures that are not finite, which JSON writes as null.
bool read_point(const nlohmann::json& line, TrajectoryPoint& point) {
  if (!line.is_object() || !line.contains("law_mean_gap")) return false;
  const auto finite = [](const nlohmann::json& values) {
    return std::ranges::all_of(values, [](const auto& value) { return value.is_number(); });
  };
  for (const char* key :
       {"step", "outer_iterations", "learning_rate", "gap_excess_relative", "held_out_residual_rms", "training_rows_residual_rms"}) {
    if (!line.contains(key) || !line[key].is_number()) return false;
  }
  if (!finite(line["law_mean_gap"]) || !finite(line["law_spread_gap"])) return false;
  const double held_out = line["held_out_residual_rms"], seen = line["training_rows_residual_rms"];
  point = {line["step"],
           line["outer_iterations"],
           line["learning_rate"],
           line["gap_excess_relative"],
           seen > 0 ? held_out / seen - 1 : 0.0,
           line["law_mean_gap"],
           line["law_spread_gap"]};
  return true;
}

}  // namespace

std::vector<TrajectoryPoint> read_trajectory(const std::filesystem::path& metrics) {
  std::istringstream lines(read_file(metrics));
  std::vector<TrajectoryPoint> points;
  for (std::string text; std::getline(lines, text);) {
    TrajectoryPoint point;
    try {
      if (read_point(nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false), point)) points.push_back(std::move(point));
    } catch (const nlohmann::json::exception& error) {
      throw DataError(fmt::format("{}: is damaged: {}.", metrics.string(), error.what()));
    }
  }
  return points;
}

std::vector<TrajectoryPoint> outer_window(const std::vector<TrajectoryPoint>& points, double peak_learning_rate) {
  std::vector<TrajectoryPoint> window;
  std::ranges::copy_if(points, std::back_inserter(window),
                       [&](const TrajectoryPoint& point) { return point.outer > 0 && point.learning_rate >= 0.2 * peak_learning_rate; });
  if (window.empty()) return window;
  const double begin = window.front().outer + (window.back().outer - window.front().outer) / 3;
  std::erase_if(window, [&](const TrajectoryPoint& point) { return point.outer < begin; });
  return window;
}

at::Tensor law_of(const std::vector<TrajectoryPoint>& points) {
  std::vector<at::Tensor> laws;
  for (const TrajectoryPoint& point : points)
    laws.push_back(at::stack({at::tensor(point.mean_gap_Q, at::kDouble), at::tensor(point.spread_gap_Q, at::kDouble)}, 1));
  return at::stack(laws);
}

Rise rise_over_least(const std::vector<double>& values) {
  Rise rise;
  if (values.size() < 6) return rise;
  std::vector<double> means;
  double squared_steps = 0;
  for (std::size_t i = 1; i < values.size(); ++i) squared_steps += (values[i] - values[i - 1]) * (values[i] - values[i - 1]);
  for (std::size_t i = 1; i + 1 < values.size(); ++i) means.push_back((values[i - 1] + values[i] + values[i + 1]) / 3);
  const auto least = std::ranges::min_element(means);
  rise.height = means.back() - *least;
  // Steps have twice the variance of the values, a mean of three a third of it; two means are subtracted.
  const double error = std::sqrt(squared_steps / static_cast<double>(values.size() - 1) / 2 * 2 / 3);
  rise.significant = rise.height > 4 * error;
  return rise;
}

}  // namespace unchannel::diagnostics
