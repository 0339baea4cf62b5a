#pragma once
// Phantoms whose projections are known in closed form. Lengths in pixels, x to the right and y upwards from the middle of an N × N image.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <vector>

namespace unchannel::test {

/// value · (1 - r²)^order, order 0 or 2, inside the ellipse r² = (x' / a)² + (y' / b)² ≤ 1, x' along phi.
struct Ellipse {
  double x, y, a, b, phi, value;
};

/// Order 0 has a sharp edge; order 2 has a spectrum that is negligible beyond the pixels' Nyquist frequency.
struct Phantom {
  std::vector<Ellipse> ellipses;
  int order;

  /// Pixel averages [N, N] by the midpoint rule on 16 × 16 points a pixel.
  [[nodiscard]] std::vector<float> image(int64_t pixels) const {
    constexpr int kFine = 16;
    const double centre = 0.5 * static_cast<double>(pixels - 1);
    std::vector<double> sum(static_cast<size_t>(pixels * pixels));
    for (const Ellipse& e : ellipses) {
      const double c = std::cos(e.phi), s = std::sin(e.phi), reach = std::max(e.a, e.b) + 1;
      for (int64_t pixel = 0; pixel < pixels * pixels; ++pixel) {
        const double x = static_cast<double>(pixel % pixels) - centre - e.x, y = centre - static_cast<double>(pixel / pixels) - e.y;
        for (int fine = 0; fine < kFine * kFine && std::hypot(x, y) < reach; ++fine) {
          const double fx = x + (fine % kFine + 0.5) / kFine - 0.5, fy = y + (fine / kFine + 0.5) / kFine - 0.5;
          const double u = (fx * c + fy * s) / e.a, v = (fy * c - fx * s) / e.b, inside = 1 - u * u - v * v;
          sum[pixel] += inside > 0 ? e.value * (order == 0 ? 1 : inside * inside) : 0;
        }
      }
    }
    std::vector<float> values(sum.size());
    std::ranges::transform(sum, values.begin(), [](double all) { return static_cast<float>(all / (kFine * kFine)); });
    return values;
  }

  /// Line integral along x cos theta + y sin theta = s, averaged over a bin of this width around s (midpoint rule in the angle asin of the
  /// place, which takes the edge's square root away; closed forms would differ by less than 1e-6).
  [[nodiscard]] double bin(double theta, double s, double width) const {
    double sum = 0;
    for (const Ellipse& e : ellipses) {
      const double half = std::hypot(e.a * std::cos(theta - e.phi), e.b * std::sin(theta - e.phi));
      const double middle = s - e.x * std::cos(theta) - e.y * std::sin(theta);
      const double from = std::asin(std::clamp((middle - width / 2) / half, -1.0, 1.0));
      const double to = std::asin(std::clamp((middle + width / 2) / half, -1.0, 1.0));
      constexpr int kFine = 32;
      double integral = 0;  // of (1 - t²)^(order + 1/2) dt = cos^(2 order + 2) d asin t
      for (int fine = 0; fine < kFine; ++fine) {
        const double square = std::pow(std::cos(from + (to - from) * (fine + 0.5) / kFine), 2);
        integral += order == 0 ? square : square * square * square;
      }
      // along the line: integral of (1 - w²)^order dw over [-1, 1]
      const double along = order == 0 ? 2 : 16.0 / 15;
      sum += e.value * along * e.a * e.b / half * integral * (to - from) / kFine * half / width;
    }
    return sum;
  }
};

/// Some ellipses of an image of N pixels, within its inscribed circle.
inline Phantom head(double pixels, int order) {
  return {{{0.01 * pixels, -0.02 * pixels, 0.34 * pixels, 0.45 * pixels, 0, 1},
           {0, 0, 0.31 * pixels, 0.41 * pixels, 0, -0.6},
           {0.11 * pixels, 0.03 * pixels, 0.1 * pixels, 0.17 * pixels, -0.3, 0.3},
           {-0.12 * pixels, -0.05 * pixels, 0.09 * pixels, 0.2 * pixels, 0.4, -0.2}},
          order};
}

}  // namespace unchannel::test
