// Time of one spectrum through the line-spread function: the plugin's loops against FFTW (float32, FFTW_ESTIMATE as the determinism rule
// demands).
//   bench_line_spread [pixels]
// Columns: sigma in pixels; the plugin (kernel, padding and convolution); one forward and one backward real transform of the padded row;
// the same with REDFT10 / REDFT01, whose symmetry gives the reflecting edges for free. The FFT columns leave out the transfer function (its
// exponentials cost about as much as the plugin's kernel), so they are lower bounds. Best of 25 repetitions of 1,000 spectra, microseconds.
#include <fftw3.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "line_spread.hpp"

namespace {

/// CPU time of this thread: other programs on the machine disturb it less than they disturb the clock.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <class Body>
double microseconds(Body&& body) {
  double best = 1e9;
  for (int repetition = 0; repetition < 25; ++repetition) {
    const double start = cpu_seconds();
    for (int i = 0; i < 1000; ++i) {
      body(i);
    }
    best = std::min(best, (cpu_seconds() - start) * 1e3);
  }
  return best;
}

/// The next length whose only prime factors are 2, 3, 5.
int friendly(int length) {
  for (;; ++length) {
    int rest = length;
    for (const int prime : {2, 3, 5}) {
      while (rest % prime == 0) {
        rest /= prime;
      }
    }
    if (rest == 1) {
      return length;
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  const int pixels = argc > 1 ? std::atoi(argv[1]) : 1024;
  std::vector<float> x(static_cast<size_t>(pixels), 1.0F), y(x.size());
  float* row = fftwf_alloc_real(static_cast<size_t>(pixels));
  float* spectrum = fftwf_alloc_real(static_cast<size_t>(pixels));
  const auto dct = fftwf_plan_r2r_1d(pixels, row, spectrum, FFTW_REDFT10, FFTW_ESTIMATE);
  const auto back = fftwf_plan_r2r_1d(pixels, spectrum, row, FFTW_REDFT01, FFTW_ESTIMATE);
  std::fill_n(row, pixels, 1.0F);
  const double symmetric = microseconds([&](int) {
    fftwf_execute(dct);
    for (int k = 0; k < pixels; ++k) {
      spectrum[k] *= 1.0F / static_cast<float>(2 * pixels);
    }
    fftwf_execute(back);
  });
  std::printf("%8s %10s %12s %12s\n", "sigma", "plugin", "FFTW r2c/c2r", "FFTW DCT");
  for (const double sigma : {0.1, 0.304, 1.0, 3.0, 10.0, 15.9, 16.0, 30.5, 60.0}) {
    spectrograph::LineSpread spread(pixels);
    const double own = microseconds([&](int i) { spread.apply(sigma * (1 + 1e-6 * i), x, y); });  // a new kernel for every spectrum
    const int length = friendly(pixels + 2 * static_cast<int>(std::ceil(5 * sigma)));
    float* padded = fftwf_alloc_real(static_cast<size_t>(length));
    fftwf_complex* half = fftwf_alloc_complex(static_cast<size_t>(length / 2 + 1));
    const auto forward = fftwf_plan_dft_r2c_1d(length, padded, half, FFTW_ESTIMATE);
    const auto backward = fftwf_plan_dft_c2r_1d(length, half, padded, FFTW_ESTIMATE);
    std::fill_n(padded, length, 1.0F);
    const double fft = microseconds([&](int) {
      fftwf_execute(forward);
      for (int k = 0; k <= length / 2; ++k) {
        half[k][0] /= static_cast<float>(length), half[k][1] /= static_cast<float>(length);
      }
      fftwf_execute(backward);
    });
    std::printf("%8.3g %10.2f %12.2f %12.2f\n", sigma, own, fft, symmetric);
    fftwf_destroy_plan(forward);
    fftwf_destroy_plan(backward);
    fftwf_free(padded);
    fftwf_free(half);
  }
  fftwf_destroy_plan(dct);
  fftwf_destroy_plan(back);
  fftwf_free(row);
  fftwf_free(spectrum);
}
