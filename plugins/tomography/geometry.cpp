#include "geometry.hpp"

#include <cmath>
#include <numbers>

namespace tomography {

double Geometry::reach() const {
  return static_cast<double>(pixels) * std::numbers::sqrt2 / 2 + static_cast<double>(bins) * pitch / 2 + std::abs(offset);
}

void set_angles(Geometry& geometry, int64_t views, double start_degree, double range_degree) {
  constexpr double kRadian = std::numbers::pi / 180;
  const double step = range_degree / static_cast<double>(views);
  geometry.angles_radian.clear(), geometry.angle_weights.clear();
  for (int64_t v = 0; v < views; ++v) {
    const double travelled = step * static_cast<double>(v);
    const bool twice = travelled >= 180 || travelled + 180 < range_degree;  // the opposite direction is in the range, too
    geometry.angles_radian.push_back((start_degree + travelled) * kRadian);
    geometry.angle_weights.push_back(step * kRadian * (twice ? 0.5 : 1));
  }
}

int64_t covering_bins(int64_t pixels, double pitch) {
  return std::llround(std::ceil(static_cast<double>(pixels) * std::numbers::sqrt2 / pitch));
}

}  // namespace tomography
