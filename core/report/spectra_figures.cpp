#include "spectra_figures.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/core.h>

#include "statistics.hpp"
#include "tensor_ops.hpp"

namespace unchannel::report {
namespace {

struct Line {
  const char* name;
  double rest_angstrom;
};

/// A window of the rest frame in which lines blend, in order of preference; shown when the first line and 3,000 km/s around it are covered.
struct LineGroup {
  double low_angstrom, high_angstrom;
  std::vector<Line> lines;
};

const std::vector<LineGroup>& line_groups() {
  // Laboratory vacuum wavelengths as in Vanden Berk et al. 2001, table 2.
  static const std::vector<LineGroup> groups = {{1190, 1262, {{"Ly α", 1215.67}, {"N V", 1240.14}}},
                                                {1372, 1424, {{"Si IV", 1396.76}}},
                                                {1500, 1600, {{"C IV", 1549.06}}},
                                                {1008, 1052, {{"Ly β", 1025.72}, {"O VI", 1033.83}}},
                                                {1850, 1960, {{"C III]", 1908.73}}}};
  return groups;
}

constexpr std::size_t kMostZooms = 2;
constexpr double kRowHeight = 222, kLegendHeight = 26;

double to_axis(const PixelAxis& axis, const SpectrumExample& example, double rest_angstrom) {
  return axis.rest_frame ? rest_angstrom : rest_angstrom * (1 + example.redshift);
}

std::vector<const LineGroup*> groups_in_coverage(const PixelAxis& axis, const SpectrumExample& example) {
  std::vector<const LineGroup*> found;
  if (!axis.is_wavelength || (!axis.rest_frame && !std::isfinite(example.redshift))) return found;
  for (const LineGroup& group : line_groups()) {
    const double centre = to_axis(axis, example, group.lines.front().rest_angstrom);
    const double room = centre * 3000 / 299792.458;
    if (centre - room > axis.position.front() && centre + room < axis.position.back() && found.size() < kMostZooms) found.push_back(&group);
  }
  return found;
}

/// Range of y that shows truth and restoration whole and all but the wildest pixels of a noisy observation.
void set_flux_range(Panel& panel, double low_x, double high_x) {
  std::vector<double> noisy, smooth;
  for (const Series& series : panel.series) {
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (series.x[i] >= low_x && series.x[i] <= high_x) (series.tone == Tone::kGrey ? noisy : smooth).push_back(series.y[i]);
    }
  }
  const double low = std::fmin(quantile(noisy, 0.005), quantile(smooth, 0.0));
  const double high = std::fmax(quantile(noisy, 0.995), quantile(smooth, 1.0));
  if (!(low < high)) return;
  panel.y.low = low - 0.05 * (high - low);
  panel.y.high = high + 0.10 * (high - low);
}

std::vector<Series> curves_of(const PixelAxis& axis, const SpectrumExample& example) {
  std::vector<Series> curves;
  const auto add = [&](const char* label, const std::vector<double>& values, Tone tone, double width) {
    if (!values.empty()) curves.push_back({label, axis.position, values, tone, Mark::kLine, width});
  };
  add("observed", example.observed, Tone::kGrey, 0.7);
  add("truth", example.truth, Tone::kInk, 1.5);
  add("restored", example.restored, Tone::kOrange, 1.5);
  return curves;
}

void cut_to(Panel& panel, double low, double high) {
  panel.x.low = low;
  panel.x.high = high;
  for (Series& series : panel.series) {
    std::vector<double> x, y;
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (series.x[i] >= low && series.x[i] <= high) x.push_back(series.x[i]), y.push_back(series.y[i]);
    }
    series.x = std::move(x);
    series.y = std::move(y);
  }
  set_flux_range(panel, low, high);
}

void add_markers(Panel& panel, const PixelAxis& axis, const SpectrumExample& example, const LineGroup& group) {
  for (const Line& line : group.lines) panel.markers.push_back({to_axis(axis, example, line.rest_angstrom), line.name});
}

/// All values that are not NaN.
std::vector<double> flattened(const at::Tensor& values) {
  std::vector<double> result = to_vector(values.reshape({-1}));
  std::erase_if(result, [](double value) { return std::isnan(value); });
  return result;
}

at::Tensor rms_per_object(const at::Tensor& residual_ND) { return residual_ND.square().nanmean(1).sqrt(); }

}  // namespace

std::string PixelAxis::label() const {
  if (!is_wavelength) return "pixel";
  return fmt::format("{}-frame wavelength{} [Å]", rest_frame ? "rest" : "observed", medium.empty() ? "" : fmt::format(" in {}", medium));
}

PixelAxis pixel_numbers(std::size_t dimension) {
  PixelAxis axis;
  for (std::size_t i = 0; i < dimension; ++i) axis.position.push_back(static_cast<double>(i));
  return axis;
}

std::vector<double> to_vector(const at::Tensor& values_D) {
  const at::Tensor wide = values_D.to(at::kDouble).contiguous();
  return {wide.const_data_ptr<double>(), wide.const_data_ptr<double>() + wide.numel()};
}

Figure spectra_figure(const PixelAxis& axis, const std::vector<SpectrumExample>& examples, const std::string& flux_label) {
  Figure figure;
  figure.width = 1080;
  figure.description = "Spectra: observed, restored and, where known, the truth";
  std::size_t zooms = 0;
  for (const SpectrumExample& example : examples) zooms = std::max(zooms, groups_in_coverage(axis, example).size());
  const double zoom_width = zooms > 0 ? 245 : 0, wide = figure.width - static_cast<double>(zooms) * zoom_width;
  for (std::size_t row = 0; row < examples.size(); ++row) {
    const SpectrumExample& example = examples[row];
    const bool last = row + 1 == examples.size();
    Panel whole;
    whole.series = curves_of(axis, example);
    whole.title = example.name;
    if (std::isfinite(example.redshift)) whole.title += fmt::format("{}z = {:.4f}", example.name.empty() ? "" : ", ", example.redshift);
    whole.x.label = last ? axis.label() : "";
    whole.y.label = flux_label;
    whole.top = kLegendHeight + static_cast<double>(row) * kRowHeight + 32;
    whole.bottom = whole.top + kRowHeight - 60;
    whole.left = 68;
    whole.right = wide - 24;
    cut_to(whole, axis.position.front(), axis.position.back());
    const auto groups = groups_in_coverage(axis, example);
    double left = wide;
    std::vector<Panel> row_panels;
    for (const LineGroup* group : groups) {
      Panel zoom = whole;
      zoom.title.clear();
      zoom.y.label.clear();
      zoom.x.label = last ? "[Å]" : "";
      zoom.left = left + 34;
      zoom.right = left + zoom_width - 20;
      left += zoom_width;
      cut_to(zoom, std::max(axis.position.front(), to_axis(axis, example, group->low_angstrom)),
             std::min(axis.position.back(), to_axis(axis, example, group->high_angstrom)));
      add_markers(zoom, axis, example, *group);
      row_panels.push_back(std::move(zoom));
    }
    for (const LineGroup* group : groups) whole.markers.push_back({to_axis(axis, example, group->lines.front().rest_angstrom), group->lines.front().name});
    figure.panels.push_back(std::move(whole));
    for (Panel& zoom : row_panels) figure.panels.push_back(std::move(zoom));
  }
  figure.height = kLegendHeight + static_cast<double>(examples.size()) * kRowHeight + 26;
  return figure;
}

Figure residual_figure(const at::Tensor& observed_residual_ND, const at::Tensor& simulated_residual_ND) {
  const at::Tensor observed = observed_residual_ND.to(at::kDouble), simulated = simulated_residual_ND.to(at::kDouble);
  const double unit = std::max(1e-300, observed.square().nanmean().sqrt().item<double>());
  const auto add = [](Panel& panel, const std::vector<double>& first, const std::vector<double>& second, double low, double high,
                      std::size_t bins) {
    const Histogram a = histogram(first, low, high, bins), b = histogram(second, low, high, bins);
    panel.series.push_back({"observed", a.centre, a.density, Tone::kGrey, Mark::kFilledSteps, 1});
    panel.series.push_back({"re-simulated", b.centre, b.density, Tone::kOrange, Mark::kSteps, 1.6});
    panel.x.low = low;
    panel.x.high = high;
  };
  Figure figure;
  Panel pixels;
  pixels.x.label = "residual of a pixel / RMS of all observed residuals";
  pixels.y.label = "density";
  pixels.y.logarithmic = true;
  add(pixels, flattened(observed / unit), flattened(simulated / unit), -5, 5, 80);
  double highest = 0;
  for (const Series& series : pixels.series) highest = std::max(highest, quantile(series.y, 1.0));
  pixels.y.high = 2 * std::max(highest, 1e-3);
  pixels.y.low = 1e-5 * pixels.y.high;
  Panel objects;
  objects.x.label = "RMS residual of an object [data units]";
  objects.y.label = "density";
  objects.y.low = 0;
  const std::vector<double> rms_observed = flattened(rms_per_object(observed)), rms_simulated = flattened(rms_per_object(simulated));
  const double high = std::fmax(quantile(rms_observed, 0.995), quantile(rms_simulated, 0.995));
  const double low = std::fmin(quantile(rms_observed, 0.005), quantile(rms_simulated, 0.005));
  const double room = std::max(1e-12, 0.1 * (high - low));
  add(objects, rms_observed, rms_simulated, std::max(0.0, low - room), high + room, 32);
  figure.panels = {pixels, objects};
  figure.arrange(2, 300);
  figure.description = "Distribution of the residuals of observations and of re-simulated observations";
  return figure;
}

Figure p_value_figure(const std::vector<double>& p_values) {
  const Histogram bars = histogram(p_values, 0, 1, 20);
  Panel panel;
  panel.x = {"p-value", 0, 1, false};
  panel.y.label = "density";
  panel.y.low = 0;
  panel.series.push_back({"objects", bars.centre, bars.density, Tone::kGrey, Mark::kFilledSteps, 1});
  panel.series.push_back({"uniform", {0, 1}, {1, 1}, Tone::kOrange, Mark::kDashed, 1.5});
  Figure figure;
  figure.width = 620;
  figure.panels = {panel};
  figure.arrange(1, 280);
  figure.description = "Histogram of the objects' p-values";
  return figure;
}

Figure spread_figure(const PixelAxis& axis, const std::vector<double>& truth_spread_D, const std::vector<SpreadCurve>& curves) {
  Panel spread, ratio;
  spread.y.label = "spread [data units]";
  spread.y.low = 0;
  spread.series.push_back({"truth", axis.position, truth_spread_D, Tone::kInk, Mark::kLine, 2.2});
  ratio.x.label = axis.label();
  ratio.y.label = "ratio to the truth";
  ratio.series.push_back({"truth", {axis.position.front(), axis.position.back()}, {1, 1}, Tone::kInk, Mark::kLine, 1.2});
  for (const SpreadCurve& curve : curves) {
    spread.series.push_back({curve.label, axis.position, curve.spread_D, curve.tone, curve.mark, 1.5});
    Series relative{curve.label, axis.position, {}, curve.tone, curve.mark, 1.5};
    for (std::size_t i = 0; i < truth_spread_D.size(); ++i) relative.y.push_back(curve.spread_D.at(i) / truth_spread_D[i]);
    ratio.series.push_back(std::move(relative));
  }
  Figure figure;
  figure.width = 900;
  figure.panels = {spread, ratio};
  figure.arrange(1, 250);
  figure.description = "Standard deviation over objects by pixel: truth and restorations";
  return figure;
}

}  // namespace unchannel::report
