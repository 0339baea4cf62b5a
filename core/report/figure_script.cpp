#include "figure_script.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <set>

namespace unchannel::report {
namespace {

constexpr double kLeftMargin = 74, kRightMargin = 24, kTopMargin = 34, kBottomMargin = 46, kLegend = 26;
/// From a box to its y axis' name; numbers of logarithmic axes, 0.0001, are wider.
double name_distance(const Axis& y) { return y.logarithmic ? 74 : 56; }
constexpr double kPixelsPerXLabel = 56, kPixelsPerYLabel = 24;

/// A gnuplot string: single quotes interpret nothing but a doubled quote. Line breaks would end the command.
std::string quoted(const std::string& text) {
  std::string result = "'";
  for (const char c : text) {
    if (c == '\'') result += '\'';
    result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return result + "'";
}

/// The dark-page rules of html_style.hpp know these colours.
const char* colour(Tone tone) {
  switch (tone) {
    case Tone::kGrey: return "#9AA0A6";
    case Tone::kBlue: return "#0072B2";
    case Tone::kOrange: return "#D55E00";
    case Tone::kGreen: return "#008C68";
    case Tone::kPurple: return "#B5659A";
    case Tone::kInk: break;
  }
  return "#000000";
}

std::string style(const Series& series) {
  const std::string rgb = colour(series.tone);
  switch (series.mark) {
    case Mark::kPoints: return fmt::format("with points pt 7 ps {:.2f} lc rgb '{}'", 0.22 * series.width, rgb);
    case Mark::kDashed: return fmt::format("with lines dt (9,5) lw {:.2f} lc rgb '{}'", series.width, rgb);
    case Mark::kSteps: return fmt::format("with histeps lw {:.2f} lc rgb '{}'", series.width, rgb);
    case Mark::kFilledSteps: return fmt::format("with boxes fs solid 0.35 noborder fc rgb '{}'", rgb);
    case Mark::kLine: break;
  }
  return fmt::format("with lines lw {:.2f} lc rgb '{}'", series.width, rgb);
}

bool shown(double value, bool logarithmic) { return std::isfinite(value) && (!logarithmic || value > 0); }

struct Limits {
  double low, high;
};

Limits limits(const Axis& axis, const std::vector<Series>& all, const std::vector<double> Series::*values, double padding) {
  double low = INFINITY, high = -INFINITY;
  for (const Series& series : all) {
    for (const double value : series.*values) {
      if (!shown(value, axis.logarithmic)) continue;
      low = std::min(low, value);
      high = std::max(high, value);
    }
  }
  if (low > high) low = axis.logarithmic ? 1 : 0, high = 1;
  if (axis.logarithmic) {
    const double room = std::max(std::pow(high / low, padding), 1.1);
    low /= room, high *= room;
  } else {
    const double room = high > low ? padding * (high - low) : 0.5 * std::max(std::abs(low), 1e-12);
    low -= room, high += room;
  }
  if (shown(axis.low, axis.logarithmic)) low = axis.low;
  if (shown(axis.high, axis.logarithmic)) high = axis.high;
  if (!(low < high)) high = low + std::max(1.0, std::abs(low));
  return {low, high};
}

/// Distance between labels: 1, 2 or 5 times a power of ten, so that each has `pixels_per_label` of room.
double label_step(const Limits& range, double pixels, double pixels_per_label) {
  const double least = (range.high - range.low) * pixels_per_label / std::max(pixels, pixels_per_label);
  const double power = std::pow(10.0, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least) return factor * power;
  }
  return 10 * power;
}

std::string axis_script(const char* name, const Axis& axis, const Limits& range, double pixels, double pixels_per_label) {
  const std::string ticks = axis.logarithmic ? "autofreq" : fmt::format("{:.9g}", label_step(range, pixels, pixels_per_label));
  return fmt::format("{1} logscale {0}\nset {0}range [{2:.9g}:{3:.9g}]\nset {0}tics {4}{5}\n", name, axis.logarithmic ? "set" : "unset",
                     range.low, range.high, ticks, name[0] == 'x' ? " offset 0,0.45" : "");
}

std::string data_block(const std::string& name, const Series& series, const Panel& panel) {
  std::string text = fmt::format("{} << EOD\n", name);
  for (std::size_t i = 0; i < std::min(series.x.size(), series.y.size()); ++i) {
    const bool visible = shown(series.x[i], panel.x.logarithmic) && shown(series.y[i], panel.y.logarithmic);
    text += visible ? fmt::format("{:.7g} {:.5g}\n", series.x[i], series.y[i]) : "NaN NaN\n";
  }
  // A block without any valid point is an error to gnuplot; a NaN line is not.
  return text + (series.x.empty() ? "NaN NaN\n" : "") + "EOD\n";
}

std::string panel_script(const Figure& figure, const Panel& panel, std::size_t number, const std::string& legend) {
  std::string text, plots;
  for (std::size_t i = 0; i < panel.series.size(); ++i) {
    const std::string name = fmt::format("$panel{}_{}", number, i);
    text += data_block(name, panel.series[i], panel);
    plots += fmt::format("{} using 1:2 {} notitle, ", name, style(panel.series[i]));
  }
  const Limits x = limits(panel.x, panel.series, &Series::x, 0), y = limits(panel.y, panel.series, &Series::y, 0.06);
  text += fmt::format("set lmargin at screen {:.6f}\nset rmargin at screen {:.6f}\n", panel.left / figure.width, panel.right / figure.width);
  text += fmt::format("set tmargin at screen {:.6f}\nset bmargin at screen {:.6f}\n", 1 - panel.top / figure.height,
                      1 - panel.bottom / figure.height);
  text += axis_script("x", panel.x, x, panel.right - panel.left, kPixelsPerXLabel);
  text += axis_script("y", panel.y, y, panel.bottom - panel.top, kPixelsPerYLabel);
  text += fmt::format("set title {} offset 0,-0.6\nunset arrow\nunset label\n", quoted(panel.title));
  // Labels of axes stand at fixed places; gnuplot's own move with the width of the numbers.
  text += fmt::format("set label {} at screen {:.6f}, screen {:.6f} center rotate by 90\n", quoted(panel.y.label), (panel.left - name_distance(panel.y)) / figure.width,
                      1 - 0.5 * (panel.top + panel.bottom) / figure.height);
  text += fmt::format("set label {} at screen {:.6f}, screen {:.6f} center\n", quoted(panel.x.label), 0.5 * (panel.left + panel.right) / figure.width,
                      1 - (panel.bottom + 36) / figure.height);
  for (const Marker& marker : panel.markers) {
    if (!(marker.x > x.low && marker.x < x.high)) continue;
    text += fmt::format("set arrow from {0:.7g}, graph 0 to {0:.7g}, graph 1 nohead back dt (3,4) lw 0.8 lc rgb '#808080'\n", marker.x);
    text += fmt::format("set label {} at {:.7g}, graph 0.98 left offset 0.3,-0.4 front font ',11' tc rgb '#808080'\n", quoted(marker.label),
                        marker.x);
  }
  return text + "plot " + plots + legend + "NaN notitle\n\n";
}

/// One entry per label, drawn by the first panel for the whole figure.
std::string legend_entries(const Figure& figure) {
  std::set<std::string> seen;
  std::string text;
  for (const Panel& panel : figure.panels) {
    for (const Series& series : panel.series) {
      if (series.label.empty() || !seen.insert(series.label).second) continue;
      Series sample = series;
      sample.width = std::max(sample.width, 1.6);
      text += fmt::format("NaN {} title {}, ", style(sample), quoted(series.label));
    }
  }
  return text;
}

}  // namespace

void Figure::arrange(std::size_t columns, double row_height) {
  const std::size_t rows = (panels.size() + columns - 1) / columns;
  height = static_cast<double>(rows) * row_height + kLegend;
  const double box = width / static_cast<double>(columns);
  for (std::size_t i = 0; i < panels.size(); ++i) {
    Panel& panel = panels[i];
    panel.left = static_cast<double>(i % columns) * box + kLeftMargin - name_distance({}) + name_distance(panel.y);
    panel.right = static_cast<double>(i % columns + 1) * box - kRightMargin;
    panel.top = static_cast<double>(i / columns) * row_height + kLegend + (panel.title.empty() ? 10 : kTopMargin);
    panel.bottom = static_cast<double>(i / columns + 1) * row_height + kLegend - kBottomMargin;
  }
}

std::string gnuplot_script(const Figure& figure) {
  std::string text = fmt::format(
      "set encoding utf8\nset terminal svg size {:.0f},{:.0f} fixed font 'Arial,13' noenhanced rounded\nset minussign\n"
      "set border 3 lw 0.9\nset tics out nomirror scale 0.6\nset grid lt 1 lw 0.7 lc rgb '#C8808080'\nset format '%g'\nset samples 2\n"
      "set boxwidth 1 relative\nset key horizontal at screen 0.5, screen {:.6f} center top samplen 2.6 width 1 maxrows 1\nset multiplot\n",
      figure.width, figure.height, 1 - 4 / figure.height);
  for (std::size_t i = 0; i < figure.panels.size(); ++i) {
    const std::string legend = i == 0 ? legend_entries(figure) : std::string();
    text += panel_script(figure, figure.panels[i], i, legend);
    if (i == 0) text += "unset key\n";
  }
  return text + "unset multiplot\n";
}

}  // namespace unchannel::report
