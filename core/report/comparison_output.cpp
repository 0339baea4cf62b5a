#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include <unchannel/metrics/evaluation.hpp>

#include "comparison.hpp"

namespace unchannel::report {
namespace {

constexpr const char* kNone = "–";

/// "0.3204 ± 0.0021": the standard error with two digits, the value to the same place.
std::string with_error(const std::optional<metrics::Estimate>& estimate, double factor = 1, const char* unit = "") {
  if (!estimate || std::isnan(estimate->value)) return kNone;
  if (std::isinf(estimate->value)) return "∞";  // the PSNR of a perfect restoration
  const double value = factor * estimate->value, error = factor * estimate->standard_error;
  if (!(error > 0) || !std::isfinite(error)) return fmt::format("{:.4g}{}", value, unit);
  const int digits = std::clamp(1 - static_cast<int>(std::floor(std::log10(error))), 0, 8);
  return fmt::format("{:.{}f} ± {:.{}f}{}", value, digits, error, digits, unit);
}

/// 1 → "1", 3000 → "3,000".
std::string count(std::int64_t number) {
  std::string digits = std::to_string(number);
  for (std::ptrdiff_t place = static_cast<std::ptrdiff_t>(digits.size()) - 3; place > 0; place -= 3) digits.insert(static_cast<std::size_t>(place), ",");
  return digits;
}

nlohmann::json estimate_json(const std::optional<metrics::Estimate>& estimate) {
  if (!estimate) return nullptr;
  return {{"value", estimate->value}, {"standard_error", estimate->standard_error}};
}

std::string spread_text(const ComparisonRow& row) {
  const std::string spread = with_error(row.spread_error, 100, " %");
  return !row.spread_bias || spread == kNone ? spread : spread + (*row.spread_bias < 0 ? " (−)" : " (+)");
}

std::string objects_text(const ComparisonRow& row) {
  const bool fewer = row.lyman_alpha_objects != row.objects && row.lyman_alpha_within_500_km_s.has_value();
  return count(row.objects) + (fewer ? " (" + count(row.lyman_alpha_objects) + ")" : "");
}

/// A column of the comparison and its cell of a row.
struct FigureColumn {
  Column column;
  std::function<std::string(const ComparisonRow&)> text;
};

const std::vector<FigureColumn>& figures() {
  static const std::vector<FigureColumn> all = {
      {{"RMSE", "root mean square error over pixels and objects, data units, ± standard error by bootstrap over objects.", true},
       [](const ComparisonRow& row) { return with_error(row.rmse); }},
      {{"PSNR [dB]", "20 log10 of the truth's largest minus smallest value over the RMSE.", true},
       [](const ComparisonRow& row) { return with_error(row.psnr_db); }},
      {{"SSIM", "mean structural similarity, Gaussian window of 11 x 11 pixels, same data range; 1 for equal images.", true},
       [](const ComparisonRow& row) { return with_error(row.ssim); }},
      {{"RMSE / exact draw", "RMSE over that of one exact posterior draw, on the same objects.", true},
       [](const ComparisonRow& row) { return with_error(row.rmse_over_draw); }},
      {{"spread error",
        "root mean square over pixels of (standard deviation restored / true − 1), with the sign of its mean: − shrinks. Of images, pixels "
        "whose true standard deviation is below a tenth of the largest are left out.",
        true},
       spread_text},
      {{"excess sliced W2", "distance between the law of the restorations and that of clean signals beyond the sampling floor, data units.", true},
       [](const ComparisonRow& row) { return row.excess_sliced_w2 ? fmt::format("{:.4f}", *row.excess_sliced_w2) : kNone; }},
      {{"energy distance",
        "2 E|X − Y| − E|X − X′| − E|Y − Y′| between restorations X and true signals Y of other objects, data units; unbiased, so that equal laws give "
        "zero on average.",
        true},
       [](const ComparisonRow& row) { return row.energy_distance ? fmt::format("{:.4f}", *row.energy_distance) : kNone; }},
      {{"Lyα within 500 km/s",
        "share of the objects whose highest pixel at rest 1150–1300 Å lies within 500 km/s of the truth's; where not all "
        "have it in coverage, their number stands in brackets.",
        true},
       [](const ComparisonRow& row) { return with_error(row.lyman_alpha_within_500_km_s, 100, " %"); }},
      {{"objects", "number used.", true}, objects_text}};
  return all;
}

nlohmann::json number_json(const std::optional<double>& value) { return value ? nlohmann::json(*value) : nlohmann::json(nullptr); }

}  // namespace

Table comparison_table(const std::vector<ComparisonRow>& rows) {
  Table table;
  std::vector<FigureColumn> shown;
  for (const FigureColumn& figure : figures()) {
    if (std::ranges::any_of(rows, [&](const ComparisonRow& row) { return row.reason.empty() && figure.text(row) != kNone; })) shown.push_back(figure);
  }
  table.columns = {{"method", "", false}};
  for (const FigureColumn& figure : shown) table.columns.push_back(figure.column);
  for (const ComparisonRow& row : rows) {
    if (!row.meaning.empty()) table.note += fmt::format("{}{}: {}", table.note.empty() ? "" : " ", row.name, row.meaning);
    Row cells;
    cells.strong = row.strong;
    cells.cells = {row.name};
    if (row.reason.empty()) {
      for (const FigureColumn& figure : shown) cells.cells.push_back(figure.text(row));
    } else {
      cells.remark = "not computed: " + row.reason;
    }
    table.rows.push_back(cells);
  }
  return table;
}

Table line_table(const std::vector<ComparisonRow>& rows) {
  Table table;
  table.columns = {{"line", "", false},
                   {"method", "", false},
                   {"objects", "number with the line, and 3,000 km/s either side of it, in coverage.", true},
                   {"within 500 km/s",
                    "share of them whose highest pixel in the line's window lies within 500 km/s of the truth's, ± standard error.", true},
                   {"|velocity error|", "median, km/s.", true},
                   {"height error", "median of (restored − true) / |true|, each at its own peak.", true},
                   {"r.m.s. height error", "root mean square of the same.", true}};
  for (const metrics::LineWindow& line : metrics::quasar_lines()) {
    for (const ComparisonRow& row : rows) {
      for (const metrics::PeakComparison& peaks : row.lines) {
        if (peaks.name != line.name) continue;
        std::string name = line.name;
        std::ranges::replace(name, '_', ' ');
        table.rows.push_back(
            {{name, row.name, count(peaks.in_coverage), with_error(peaks.fraction_within, 100, " %"),
              fmt::format("{:.0f}", peaks.median_abs_velocity_km_s), fmt::format("{:+.1f} %", 100 * peaks.median_height_error),
              fmt::format("{:.1f} %", 100 * peaks.rms_height_error)},
             "",
             row.strong});
      }
    }
  }
  return table;
}

nlohmann::json comparison_json(const std::vector<ComparisonRow>& rows) {
  nlohmann::json list = nlohmann::json::array();
  for (const ComparisonRow& row : rows) {
    nlohmann::json entry = {{"method", row.name}, {"computed", row.reason.empty()}};
    if (!row.reason.empty()) {
      entry["reason"] = row.reason;
    } else {
      entry["objects"] = row.objects;
      entry["rmse_data_units"] = estimate_json(row.rmse);
      if (row.psnr_db) entry["psnr_db"] = estimate_json(row.psnr_db);
      if (row.ssim) entry["ssim"] = estimate_json(row.ssim);
      entry["rmse_over_exact_draw"] = estimate_json(row.rmse_over_draw);
      entry["spread_error_fraction"] = estimate_json(row.spread_error);
      entry["spread_bias_fraction"] = number_json(row.spread_bias);
      entry["excess_sliced_w2_data_units"] = number_json(row.excess_sliced_w2);
      entry["energy_distance_data_units"] = number_json(row.energy_distance);
      for (const metrics::PeakComparison& line : row.lines) entry["lines"][line.name] = metrics::to_json(line);
      if (!row.psnr_db) {  // an image has no lines
        entry["lyman_alpha_objects"] = row.lyman_alpha_objects;
        entry["lyman_alpha_within_500_km_s_fraction"] = estimate_json(row.lyman_alpha_within_500_km_s);
        entry["lyman_alpha_median_abs_velocity_km_s"] = number_json(row.lyman_alpha_median_velocity_km_s);
        entry["lyman_alpha_median_height_error_fraction"] = number_json(row.lyman_alpha_median_height_error);
      }
    }
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace unchannel::report
