// The hot loops between a Cartesian grid of complex numbers and scattered points. gridding_loops.cpp is compiled for the baseline processor
// and, on x86-64, once more for AVX2 + FMA; gridding_loops() picks one for the life of the process, so the bits depend on the kind of CPU
// and on nothing else.
#pragma once

#include <cstdint>

namespace tomography {

constexpr int64_t kKernelWidth = 8;  ///< grid lines (and elements of a line) that a point touches

/// Where a point lies on the grid: its kernel covers elements start … start + 7 of eight successive lines.
struct GridPoint {
  int64_t start;                ///< complex elements from the beginning of the grid to the first corner
  float line[kKernelWidth];     ///< weights of the eight lines
  float element[kKernelWidth];  ///< weights of the eight elements of each line
};

struct GriddingLoops {
  /// out[p] = sum over lines l, elements e of point.line[l] * point.element[e] * grid[point.start + l * pitch + e]; grid, out: (re, im).
  void (*gather)(const float* grid, int64_t pitch, const GridPoint* points, int64_t count, float* out);
  /// The transpose: grid[…] += point.line[l] * point.element[e] * in[p], in the order of the points.
  void (*spread)(const float* in, const GridPoint* points, int64_t count, int64_t pitch, float* grid);
};

const GriddingLoops& gridding_loops();

}  // namespace tomography
