// FFTW (float32) as a plugin with determinism PER_SAMPLE needs it: plans made behind one mutex with FFTW_ESTIMATE (no timing, so the same
// plan in every process), executed on other arrays of equal alignment.
#pragma once

#include <fftw3.h>

#include <complex>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tomography {

using Complex = std::complex<float>;

/// `count` values of which the first lies on a cache line; all zero at first. Throws std::bad_alloc.
template <class Value>
class Aligned {
 public:
  explicit Aligned(int64_t count);
  [[nodiscard]] Value* data() const { return values_.get(); }

 private:
  struct Free {
    void operator()(Value* values) const;
  };
  std::unique_ptr<Value[], Free> values_;
};
extern template class Aligned<float>;
extern template class Aligned<Complex>;

/// `count` one-dimensional transforms of `length` values, unnormalised. Distances and strides count elements of the array they belong to.
struct Layout {
  int count;
  int stride;
  int distance;
};

/// A plan that may be executed by several threads at once. `from` and `to` of execute must be aligned like those of the constructor.
class Fft {
 public:
  static Fft real_to_complex(int length, float* from, Layout in, Complex* to, Layout out);
  /// Destroys its input.
  static Fft complex_to_real(int length, Complex* from, Layout in, float* to, Layout out);
  /// In place; sign as in exp(sign i …).
  static Fft complex_in_place(int length, int sign, Complex* data, Layout layout);

  void execute(float* from, Complex* to) const { fftwf_execute_dft_r2c(plan_.get(), from, reinterpret_cast<fftwf_complex*>(to)); }
  void execute(Complex* from, float* to) const { fftwf_execute_dft_c2r(plan_.get(), reinterpret_cast<fftwf_complex*>(from), to); }
  void execute(Complex* data) const {
    fftwf_execute_dft(plan_.get(), reinterpret_cast<fftwf_complex*>(data), reinterpret_cast<fftwf_complex*>(data));
  }

 private:
  explicit Fft(fftwf_plan plan);
  struct Destroy {
    void operator()(fftwf_plan plan) const;
  };
  std::unique_ptr<std::remove_pointer_t<fftwf_plan>, Destroy> plan_;
};

/// The smallest multiple of `multiple` that is ≥ length and has the prime factors 2, 3, 5 only; `multiple` itself must be such a number.
int64_t friendly_length(int64_t length, int64_t multiple);

}  // namespace tomography
