#include "fourier.hpp"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>
#include <stdexcept>

namespace tomography {
namespace {

constexpr size_t kCacheLine = 64;

/// FFTW's planner is not thread-safe, and destroying a plan is part of planning.
std::mutex& planner() {
  static std::mutex mutex;
  return mutex;
}

fftwf_complex* raw(Complex* values) { return reinterpret_cast<fftwf_complex*>(values); }

}  // namespace

template <class Value>
Aligned<Value>::Aligned(int64_t count) {
  const size_t bytes = (static_cast<size_t>(count) * sizeof(Value) + kCacheLine - 1) / kCacheLine * kCacheLine;
  values_.reset(static_cast<Value*>(std::aligned_alloc(kCacheLine, bytes)));
  if (values_ == nullptr) {
    throw std::bad_alloc();
  }
  std::memset(static_cast<void*>(values_.get()), 0, bytes);
}
template <class Value>
void Aligned<Value>::Free::operator()(Value* values) const {
  std::free(values);
}
template class Aligned<float>;
template class Aligned<Complex>;

Fft::Fft(fftwf_plan plan) : plan_(plan) {
  if (plan == nullptr) {
    throw std::runtime_error("FFTW made no plan: out of memory, or a length that does not fit into int.");
  }
}
void Fft::Destroy::operator()(fftwf_plan plan) const {
  const std::lock_guard lock(planner());
  fftwf_destroy_plan(plan);
}

Fft Fft::real_to_complex(int length, float* from, Layout in, Complex* to, Layout out) {
  const std::lock_guard lock(planner());
  return Fft(fftwf_plan_many_dft_r2c(1, &length, in.count, from, nullptr, in.stride, in.distance, raw(to), nullptr, out.stride,
                                     out.distance, FFTW_ESTIMATE));
}
Fft Fft::complex_to_real(int length, Complex* from, Layout in, float* to, Layout out) {
  const std::lock_guard lock(planner());
  return Fft(fftwf_plan_many_dft_c2r(1, &length, in.count, raw(from), nullptr, in.stride, in.distance, to, nullptr, out.stride,
                                     out.distance, FFTW_ESTIMATE));
}
Fft Fft::complex_in_place(int length, int sign, Complex* data, Layout layout) {
  const std::lock_guard lock(planner());
  return Fft(fftwf_plan_many_dft(1, &length, layout.count, raw(data), nullptr, layout.stride, layout.distance, raw(data), nullptr,
                                 layout.stride, layout.distance, sign, FFTW_ESTIMATE));
}

int64_t friendly_length(int64_t length, int64_t multiple) {
  for (int64_t candidate = (length + multiple - 1) / multiple * multiple;; candidate += multiple) {
    int64_t rest = candidate;
    for (const int64_t prime : {2, 3, 5}) {
      while (rest % prime == 0) {
        rest /= prime;
      }
    }
    if (rest == 1) {
      return candidate;
    }
  }
}

}  // namespace tomography
