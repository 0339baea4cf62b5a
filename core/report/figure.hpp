#pragma once

#include <limits>
#include <string>
#include <vector>

namespace unchannel::report {

/// Colours that stay apart for colour-blind readers (Okabe and Ito) and on light and dark pages.
enum class Tone { kInk, kGrey, kBlue, kOrange, kGreen, kPurple };

enum class Mark {
  kLine,
  kDashed,
  kPoints,
  kSteps,        ///< outline of a histogram; x are bin centres
  kFilledSteps,  ///< filled histogram
};

/// NaN leaves a gap.
struct Series {
  std::string label;  ///< equal labels share one entry of the legend; empty: none
  std::vector<double> x, y;
  Tone tone = Tone::kInk;
  Mark mark = Mark::kLine;
  double width = 1.4;
};

/// Limits that are NaN follow from the data.
struct Axis {
  std::string label;
  double low = std::numeric_limits<double>::quiet_NaN();
  double high = std::numeric_limits<double>::quiet_NaN();
  bool logarithmic = false;
};

/// A vertical line with a name at its top.
struct Marker {
  double x = 0;
  std::string label;
};

struct Panel {
  std::string title;
  Axis x, y;
  std::vector<Series> series;
  std::vector<Marker> markers;
  /// Place of the axes' box in pixels of the figure, from its upper left corner.
  double left = 0, right = 0, top = 0, bottom = 0;
};

struct Figure {
  double width = 1000, height = 400;  ///< pixels
  std::vector<Panel> panels;
  std::string description;  ///< for readers who cannot see it

  /// Panels in rows of `columns` equal boxes, in order; every row is `row_height` high and the figure's height follows. Room is
  /// left for labels and for the legend.
  void arrange(std::size_t columns, double row_height);
};

/// The figure as SVG to be placed in an HtmlPage. Throws ConfigError when gnuplot is not installed, DataError when it fails.
std::string render_figure(const Figure& figure);

}  // namespace unchannel::report
