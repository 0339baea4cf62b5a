// The scanner: which line each detector bin of each view sees.
//
// A pixel (i, j) of the N × N image has its centre at x = (j - (N - 1) / 2) p, y = ((N - 1) / 2 - i) p, p = pixel_size. View v looks along
// lines x cos(theta_v) + y sin(theta_v) = s; bin b averages s over [s_b - w / 2, s_b + w / 2], s_b = (b - (bins - 1) / 2) w + offset.
// theta = 0 sums the columns, as in scikit-image's radon, whose angles and directions are the same.
#pragma once

#include <cstdint>
#include <vector>

namespace tomography {

struct Geometry {
  int64_t pixels;     ///< N
  double pixel_size;  ///< length unit of the user
  std::vector<double> angles_radian;
  std::vector<double> angle_weights;  ///< radians of [0, pi) that a view stands for; half of the spacing where a direction is seen twice
  int64_t bins;
  double pitch;   ///< w, pixels
  double offset;  ///< pixels

  [[nodiscard]] int64_t views() const { return static_cast<int64_t>(angles_radian.size()); }
  [[nodiscard]] double first_bin() const { return offset - 0.5 * static_cast<double>(bins - 1) * pitch; }
  /// Half of the image's diagonal plus half of the detector: how far a line through the image may lie from a bin, in pixels.
  [[nodiscard]] double reach() const;
};

/// views angles from start, range / views apart; the last one is not start + range. range ≤ 360.
void set_angles(Geometry& geometry, int64_t views, double start_degree, double range_degree);

/// The number of bins of this pitch (pixels) that see every line through an N × N image.
int64_t covering_bins(int64_t pixels, double pitch);

}  // namespace tomography
