#pragma once

#include <string>
#include <vector>

#include "figure.hpp"

namespace unchannel::report {

/// Values after 0, 1, 2, … iterations.
struct Decay {
  std::string label;
  std::vector<double> values;
  Tone tone = Tone::kInk;
  Mark mark = Mark::kLine;
};

/// One semi-logarithmic panel of decays: straight lines are linear convergence. Values below `floor` times the panel's largest are left
/// out: they are rounding.
struct DecayPanel {
  std::string title, unit_label;
  std::vector<Decay> decays;
  double floor = 1e-13;
};

Figure decay_figure(const std::vector<DecayPanel>& panels, const std::string& description);

}  // namespace unchannel::report
