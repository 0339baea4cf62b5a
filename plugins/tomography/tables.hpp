// The numbers that the transforms of slices.hpp work with, as plain pointers: what a CUDA kernel can be given. C++17, no FFTW, no CUDA.
#pragma once

#include "gridding_loops.hpp"

#include <cstdint>
#include <vector>

namespace tomography {

/// A complex number, laid out as std::complex<float> and cufftComplex.
struct Pair {
  float re, im;
};

/// ImageGrid: N × N pixels in a grid of `lines` lines of `pitch` elements, of which the first `size` (G) are the grid's own. Line l holds
/// k_x = l - kLineReach; see image_grid.hpp.
struct ImageTables {
  int64_t pixels, size, offset, pitch, lines;
  const float* window;  ///< [pixels]
};
constexpr int64_t kLineReach = kKernelWidth / 2;  ///< lines in front of k_x = 0 and behind k_x = G / 2

/// SliceOperator. Points that count for nothing have the weight 0.
struct SliceTables {
  ImageTables image;
  int64_t views, bins, oversample, frequencies, length;
  const GridPoint* points;         ///< [views, frequencies]
  const Pair* weights;             ///< [views, frequencies]
  const unsigned char* conjugate;  ///< [views]
  const int32_t* first_at;         ///< [lines · pitch + 1], see SpreadOrder; NULL: not made
  const int32_t* order;            ///< [points that count]
};

/// The points sorted by the grid element at which their kernels start: those that start at element s are order[first_at[s]] …
/// order[first_at[s + 1] - 1], in rising order. With it each element of the grid collects what the points spread to it, always in the
/// same order, and no two threads write to one place.
struct SpreadOrder {
  std::vector<int32_t> first_at, order;
};
SpreadOrder spread_order(const SliceTables& tables);

}  // namespace tomography
