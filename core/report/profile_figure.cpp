#include "profile_figure.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <fmt/core.h>

namespace unchannel::report {
namespace {

constexpr double kShown = 5.0;
constexpr Tone kTones[] = {Tone::kBlue, Tone::kOrange, Tone::kGreen, Tone::kPurple};

Series limit_line(const std::vector<double>& value, double height, const char* label) {
  Series series;
  series.label = label;
  series.tone = Tone::kGrey;
  series.mark = Mark::kDashed;
  if (!value.empty()) {
    series.x = {value.front(), value.back()};
    series.y = {height, height};
  }
  return series;
}

/// The ends; those of an interval may lie close together and share one name.
std::vector<Marker> markers_of(double low, double high) {
  std::vector<Marker> markers;
  const bool both = std::isfinite(low) && std::isfinite(high);
  if (std::isfinite(low)) markers.push_back({low, both ? "" : fmt::format("{:.3g}", low)});
  if (std::isfinite(high)) markers.push_back({high, both ? fmt::format("{:.3g} to {:.3g}", low, high) : fmt::format("{:.3g}", high)});
  return markers;
}

}  // namespace

Figure profile_figure(const ProfileCurves& curves) {
  Panel panel;
  panel.x = {.label = curves.parameter, .logarithmic = curves.logarithmic};
  panel.y = {.label = "excess [limits]", .low = -kShown, .high = kShown};
  panel.series = {limit_line(curves.value, 1.0, "rejected beyond"), limit_line(curves.value, -1.0, "rejected beyond")};
  for (std::size_t i = 0; i < curves.curves.size(); ++i) {
    const Tone tone = kTones[i % std::size(kTones)];
    Series line;
    line.label = curves.curves[i].name;
    line.tone = tone;
    line.width = 1.8;
    line.x = curves.value;
    for (const double share : curves.curves[i].share_of_limit) line.y.push_back(std::clamp(share, -kShown, kShown));
    Series dots = line;
    dots.label.clear();
    dots.mark = Mark::kPoints;
    dots.width = 3.0;
    panel.series.push_back(std::move(line));
    panel.series.push_back(std::move(dots));
  }
  panel.markers = markers_of(curves.low, curves.high);
  Figure figure;
  figure.width = 640;
  figure.panels = {panel};
  figure.arrange(1, 400);
  figure.description = "Statistics over the values of the unknown parameter, in units of the limit beyond which a value is rejected";
  return figure;
}

}  // namespace unchannel::report
