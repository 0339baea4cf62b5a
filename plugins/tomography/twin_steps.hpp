// One functor for each step of the transforms: what one thread does. CpuLaunch (twin.hpp's tests) and the CUDA kernels run these very
// functions (C++17). Every functor has items(), the number of its threads for one sample, and operator()(sample, item); an item writes to
// places of its own only, and reads nothing that another item of the step writes. Sums run in a fixed order: no atomics.
//
// Samples lie one behind the other in the arrays of a Slab, `slab_…` numbers apart, and in x [N, N] and y [views, bins] of the caller.
#pragma once

#include "noise.hpp"
#include "tables.hpp"

#include <unchannel/channel.h>

namespace tomography {

/// Scratch memory of a group of samples; slab_layout() of twin.hpp sets it up.
struct Slab {
  float* rows;                                                                           ///< [N, G] padded image rows
  Pair* grid;                                                                            ///< [lines, pitch]
  Pair* values;                                                                          ///< [views, frequencies]
  Pair* spectrum;                                                                        ///< [views, length / 2 + 1]
  float* slices;                                                                         ///< [views, length]
  float* residual;                                                                       ///< [views, bins]
  double* partial;                                                                       ///< [views]
  int64_t of_rows, of_grid, of_values, of_spectrum, of_slices, of_residual, of_partial;  ///< numbers from one sample to the next
};

namespace steps {

struct Step {
  SliceTables tables;
  Slab slab;
  UNCHANNEL_HD Pair* grid(int64_t sample) const { return slab.grid + sample * slab.of_grid; }
  UNCHANNEL_HD Pair* line(int64_t sample, int64_t kx) const { return grid(sample) + (kx + kLineReach) * tables.image.pitch; }
  UNCHANNEL_HD int64_t half() const { return tables.image.size / 2; }
  UNCHANNEL_HD int64_t pixels() const { return tables.image.pixels * tables.image.pixels; }
  UNCHANNEL_HD int64_t bins() const { return tables.views * tables.bins; }
  UNCHANNEL_HD int64_t half_length() const { return tables.length / 2 + 1; }
};

// ---- image → y ----

/// Image rows times the window, in the middle of zeros.
struct PadRows : Step {
  const float* x;
  UNCHANNEL_HD int64_t items() const { return tables.image.pixels * tables.image.size; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const ImageTables& image = tables.image;
    const int64_t i = item / image.size, j = item % image.size - image.offset;
    const bool inside = j >= 0 && j < image.pixels;
    slab.rows[sample * slab.of_rows + item] =
        inside ? x[sample * pixels() + i * image.pixels + j] * (image.window[i] * image.window[j]) : 0;
  }
};

/// The elements of each line that no image row becomes.
struct ClearMargins : Step {
  UNCHANNEL_HD int64_t items() const { return (half() + 1) * (tables.image.size - tables.image.pixels); }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t margin = tables.image.size - tables.image.pixels, k = item % margin;
    line(sample, item / margin)[k < tables.image.offset ? k : k + tables.image.pixels] = Pair{0, 0};
  }
};

/// The line of which line kx is the mirror image, or kx itself.
UNCHANNEL_HD inline int64_t mirror_source(int64_t kx, int64_t half) { return kx < 0 ? -kx : kx > half ? 2 * half - kx : kx; }

/// A real image has H(-k) = conj H(k) and H(k + G) = H(k): the lines outside of 0 … G / 2 and the repeated ends of all lines.
struct ExtendGrid : Step {
  UNCHANNEL_HD int64_t items() const { return tables.image.lines * tables.image.pitch; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t size = tables.image.size, kx = item / tables.image.pitch - kLineReach, element = item % tables.image.pitch;
    const int64_t source = mirror_source(kx, half()), ky = element % size;
    if (source == kx) {
      if (element >= size) {
        grid(sample)[item] = line(sample, kx)[ky];
      }
    } else {
      const Pair from = line(sample, source)[(size - ky) % size];
      grid(sample)[item] = Pair{from.re, -from.im};
    }
  }
};

/// Interpolation at one point of the Fourier plane, times its weight. The ends of a row's spectrum are real, as the FFT expects.
struct GatherSpectrum : Step {
  UNCHANNEL_HD int64_t items() const { return tables.views * half_length(); }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t view = item / half_length(), m = item % half_length();
    Pair& to = slab.spectrum[sample * slab.of_spectrum + item];
    if (m >= tables.frequencies) {
      to = Pair{0, 0};
      return;
    }
    const int64_t p = view * tables.frequencies + m;
    Pair value = interpolated(sample, tables.points[p]);
    value.im = tables.conjugate[view] != 0 ? -value.im : value.im;
    const Pair weight = tables.weights[p];
    const bool end = m == 0 || 2 * m == tables.length;
    to = Pair{weight.re * value.re - weight.im * value.im, end ? 0 : weight.re * value.im + weight.im * value.re};
  }
  UNCHANNEL_HD Pair interpolated(int64_t sample, const GridPoint& point) const {
    const Pair* from = grid(sample) + point.start;
    Pair sum{0, 0};
    for (int64_t l = 0; l < kKernelWidth; ++l, from += tables.image.pitch) {
      Pair along{0, 0};
      for (int64_t e = 0; e < kKernelWidth; ++e) {
        along.re += point.element[e] * from[e].re;
        along.im += point.element[e] * from[e].im;
      }
      sum.re += point.line[l] * along.re;
      sum.im += point.line[l] * along.im;
    }
    return sum;
  }
};

/// The samples of a row that are bins. A value that is not finite marks the sample.
struct TakeBins : Step {
  float* y;
  int32_t* status;
  UNCHANNEL_HD int64_t items() const { return bins(); }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t view = item / tables.bins, bin = item % tables.bins;
    const float value = slab.slices[sample * slab.of_slices + view * tables.length + bin * tables.oversample];
    y[sample * bins() + item] = value;
    if (!std::isfinite(value)) {
      status[sample] = UNCHANNEL_SAMPLE_NOT_FINITE;
    }
  }
};

// ---- y → image: the transposes, in reverse order ----

struct PutBins : Step {
  const float* y;
  int64_t of_y;  ///< from one sample to the next
  UNCHANNEL_HD int64_t items() const { return tables.views * tables.length; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t view = item / tables.length, j = item % tables.length, bin = j / tables.oversample;
    const bool held = j % tables.oversample == 0 && bin < tables.bins;
    slab.slices[sample * slab.of_slices + item] = held ? y[sample * of_y + view * tables.bins + bin] : 0;
  }
};

struct WeighSpectrum : Step {
  UNCHANNEL_HD int64_t items() const { return tables.views * tables.frequencies; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t view = item / tables.frequencies, m = item % tables.frequencies;
    const Pair from = slab.spectrum[sample * slab.of_spectrum + view * half_length() + m], weight = tables.weights[item];
    const float twice = m == 0 || 2 * m == tables.length ? 1.0F : 2.0F, side = tables.conjugate[view] != 0 ? -1.0F : 1.0F;
    const float re = twice * from.re, im = twice * from.im;
    slab.values[sample * slab.of_values + item] = Pair{weight.re * re + weight.im * im, side * (weight.re * im - weight.im * re)};
  }
};

/// The transpose of the interpolation, from the grid's side: element (l, e) collects from the points whose kernels start at lines
/// l - 7 … l and elements e - 7 … e.
struct CollectGrid : Step {
  UNCHANNEL_HD int64_t items() const { return tables.image.lines * tables.image.pitch; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t pitch = tables.image.pitch, l = item / pitch, e = item % pitch;
    const int64_t first = e < kKernelWidth ? 0 : e - kKernelWidth + 1;
    const Pair* const values = slab.values + sample * slab.of_values;
    Pair sum{0, 0};
    for (int64_t above = l < kKernelWidth ? l : kKernelWidth - 1; above >= 0; --above) {
      const int64_t row = (l - above) * pitch;
      for (int32_t n = tables.first_at[row + first]; n < tables.first_at[row + e + 1]; ++n) {
        const int32_t p = tables.order[n];
        const GridPoint& point = tables.points[p];
        const float weight = point.line[above] * point.element[item - above * pitch - point.start];
        sum.re += weight * values[p].re;
        sum.im += weight * values[p].im;
      }
    }
    grid(sample)[item] = sum;
  }
};

/// The transpose of ExtendGrid. The lines k_x = 0 and G / 2 count twice: see ImageGrid::transpose.
struct FoldGrid : Step {
  UNCHANNEL_HD int64_t items() const { return (half() + 1) * tables.image.size; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t size = tables.image.size, kx = item / size, ky = item % size;
    Pair sum = with_end(line(sample, kx), ky);
    const int64_t before = kx >= 1 && kx <= kLineReach ? -kx : 0;
    const int64_t behind = kx < half() && half() - kx <= kLineReach ? 2 * half() - kx : 0;
    const int64_t mirrors[] = {before, behind};
    for (const int64_t mirror : mirrors) {
      if (mirror != 0) {
        const Pair other = with_end(line(sample, mirror), (size - ky) % size);
        sum.re += other.re;
        sum.im -= other.im;
      }
    }
    const float twice = kx == 0 || kx == half() ? 2.0F : 1.0F;
    line(sample, kx)[ky] = Pair{twice * sum.re, twice * sum.im};
  }
  UNCHANNEL_HD Pair with_end(const Pair* of, int64_t ky) const {
    Pair sum = of[ky];
    if (ky < kKernelWidth) {
      sum.re += of[tables.image.size + ky].re;
      sum.im += of[tables.image.size + ky].im;
    }
    return sum;
  }
};

/// The imaginary parts that a complex-to-real transform has no use for, where the image rows are.
struct RealEnds : Step {
  UNCHANNEL_HD int64_t items() const { return 2 * tables.image.pixels; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const int64_t row = item % tables.image.pixels;
    line(sample, item == row ? 0 : half())[tables.image.offset + row].im = 0;
  }
};

struct TakeImage : Step {
  float* x;
  int32_t* status;
  UNCHANNEL_HD int64_t items() const { return pixels(); }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    const ImageTables& image = tables.image;
    const int64_t i = item / image.pixels, j = item % image.pixels;
    const float from = slab.rows[sample * slab.of_rows + i * image.size + image.offset + j];
    const float value = 0.5F * from * (image.window[i] * image.window[j]);
    x[sample * pixels() + item] = value;
    if (!std::isfinite(value) && status[sample] == UNCHANNEL_SAMPLE_OK) {
      status[sample] = UNCHANNEL_SAMPLE_NOT_FINITE;
    }
  }
};

// ---- noise, density, failures ----

/// One item makes the four normals of one block of random numbers.
struct AddGaussian : Step {
  float* y;
  uint64_t key;
  const uint64_t* ids;
  float sigma;
  UNCHANNEL_HD int64_t items() const { return (bins() + 3) / 4; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    float normals[4];
    unchannel_normal4(key, ids[sample], static_cast<uint32_t>(item), 0, normals);
    for (int64_t lane = 0; lane < 4 && 4 * item + lane < bins(); ++lane) {
      y[sample * bins() + 4 * item + lane] += sigma * normals[lane];
    }
  }
};

struct CountPhotons : Step {
  float* y;
  int32_t* status;
  uint64_t key;
  const uint64_t* ids;
  double photon_count;
  UNCHANNEL_HD int64_t items() const { return bins(); }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    float& bin = y[sample * bins() + item];
    const double expected = expected_photons(photon_count, bin);
    if (!countable(expected)) {
      if (status[sample] != UNCHANNEL_SAMPLE_NOT_FINITE) {  // of an earlier step
        status[sample] = UNCHANNEL_SAMPLE_OUT_OF_DOMAIN;
      }
      return;
    }
    bin = reading(photon_count, poisson(key, ids[sample], static_cast<uint32_t>(item), expected));
  }
};

/// Adds up one view; slab.residual, the projections before, becomes the derivative with respect to them.
struct ScoreView : Step {
  const float* y;
  int32_t* status;
  Noise noise;
  double precision, photon_count;
  UNCHANNEL_HD int64_t items() const { return tables.views; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t view) const {
    float* const mean = slab.residual + sample * slab.of_residual + view * tables.bins;
    const float* const seen = y + sample * bins() + view * tables.bins;
    double sum = 0;
    for (int64_t b = 0; b < tables.bins; ++b) {
      Score score{0, 0};
      if (noise == Noise::kGaussian) {
        score = gaussian_score(precision, seen[b], mean[b]);
      } else {
        const double expected = expected_photons(photon_count, mean[b]);
        if (!countable(expected) && status[sample] != UNCHANNEL_SAMPLE_NOT_FINITE) {
          status[sample] = UNCHANNEL_SAMPLE_OUT_OF_DOMAIN;
        }
        score = poisson_score(photon_count, expected, seen[b], mean[b]);
      }
      sum += score.value;
      mean[b] = score.derivative;
    }
    slab.partial[sample * slab.of_partial + view] = sum;
  }
};

struct SumViews : Step {
  double* loglik;  ///< [B]
  int32_t* status;
  Noise noise;
  double precision;
  UNCHANNEL_HD int64_t items() const { return 1; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t) const {
    double sum = 0;
    for (int64_t view = 0; view < tables.views; ++view) {
      sum += slab.partial[sample * slab.of_partial + view];
    }
    sum = noise == Noise::kGaussian ? gaussian_log_density(precision, bins(), sum) : sum;
    if (!std::isfinite(sum) && status[sample] == UNCHANNEL_SAMPLE_OK) {
      status[sample] = UNCHANNEL_SAMPLE_NOT_FINITE;
    }
    loglik[sample] = status[sample] == UNCHANNEL_SAMPLE_OK ? sum : 0;
  }
};

/// The outputs of a sample that failed are zero.
struct ZeroFailed {
  float* values;
  const int32_t* status;
  int64_t width;
  UNCHANNEL_HD int64_t items() const { return width; }
  UNCHANNEL_HD void operator()(int64_t sample, int64_t item) const {
    if (status[sample] != UNCHANNEL_SAMPLE_OK) {
      values[sample * width + item] = 0;
    }
  }
};

}  // namespace steps
}  // namespace tomography
