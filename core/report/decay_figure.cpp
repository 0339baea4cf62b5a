#include "decay_figure.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace unchannel::report {
namespace {

double largest_value(const DecayPanel& panel) {
  double largest = 0.0;
  for (const Decay& decay : panel.decays) {
    for (const double value : decay.values) largest = std::isfinite(value) ? std::max(largest, value) : largest;
  }
  return largest;
}

Series series_of(const Decay& decay, double least) {
  Series series;
  series.label = decay.label;
  series.tone = decay.tone;
  series.mark = decay.mark;
  series.width = 1.8;
  for (std::size_t k = 0; k < decay.values.size(); ++k) {
    series.x.push_back(static_cast<double>(k));
    series.y.push_back(decay.values[k] > least ? decay.values[k] : std::numeric_limits<double>::quiet_NaN());
  }
  return series;
}

}  // namespace

Figure decay_figure(const std::vector<DecayPanel>& panels, const std::string& description) {
  Figure figure;
  figure.width = panels.size() > 1 ? 1000 : 640;
  for (const DecayPanel& decays : panels) {
    Panel panel;
    panel.title = decays.title;
    panel.x = {.label = "iteration"};
    panel.y = {.label = decays.unit_label, .logarithmic = true};
    for (const Decay& decay : decays.decays) panel.series.push_back(series_of(decay, decays.floor * largest_value(decays)));
    figure.panels.push_back(std::move(panel));
  }
  figure.arrange(panels.size() > 1 ? 2 : 1, 360);
  figure.description = description;
  return figure;
}

}  // namespace unchannel::report
