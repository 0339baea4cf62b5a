#pragma once
// What runs the steps of plugins/tomography/twin.hpp in tests: the CPU, and CUDA where the build and the machine have it.

#include <cstring>
#include <string>

#include "fourier.hpp"
#include "twin.hpp"

namespace unchannel::test {

struct TwinResult {
  std::vector<float> values;
  std::vector<double> loglik;
  std::vector<int32_t> status;
};

/// The Launcher of twin.hpp on the CPU, FFTs by FFTW. Items and samples in rising or, `backwards`, in falling order: a GPU has none.
class CpuLauncher {
 public:
  CpuLauncher(const tomography::SliceTables& tables, bool backwards) : tables_(tables), backwards_(backwards) {}

  template <class Step>
  void run(const Step& step, int64_t samples) {
    const int64_t count = samples * step.items();
    for (int64_t n = 0; n < count; ++n) {
      const int64_t at = backwards_ ? count - 1 - n : n;
      step(at / step.items(), at % step.items());
    }
  }

  void transform(tomography::FftStep step, const tomography::Slab& slab, int64_t samples) {
    for (int64_t sample = 0; sample < samples; ++sample) {
      one(step, slab, sample);
    }
  }

 private:
  void one(tomography::FftStep step, const tomography::Slab& slab, int64_t sample) const {
    using namespace tomography;
    const ImageTables& image = tables_.image;
    const int size = static_cast<int>(image.size), pitch = static_cast<int>(image.pitch), half = size / 2 + 1;
    const int length = static_cast<int>(tables_.length), views = static_cast<int>(tables_.views);
    const Layout image_rows{static_cast<int>(image.pixels), 1, size}, across{static_cast<int>(image.pixels), pitch, 1};
    const Layout slices{views, 1, length}, spectra{views, 1, length / 2 + 1}, lines{half, 1, pitch};
    auto* const line = reinterpret_cast<Complex*>(slab.grid + sample * slab.of_grid + kLineReach * image.pitch);
    auto* const spectrum = reinterpret_cast<Complex*>(slab.spectrum + sample * slab.of_spectrum);
    float* const rows = slab.rows + sample * slab.of_rows;
    float* const slice = slab.slices + sample * slab.of_slices;
    switch (step) {
      case FftStep::kRowsToGrid:
        return Fft::real_to_complex(size, rows, image_rows, line + image.offset, across).execute(rows, line + image.offset);
      case FftStep::kLines:
        return Fft::complex_in_place(size, FFTW_FORWARD, line, lines).execute(line);
      case FftStep::kLinesBack:
        return Fft::complex_in_place(size, FFTW_BACKWARD, line, lines).execute(line);
      case FftStep::kGridToRows:
        return Fft::complex_to_real(size, line + image.offset, across, rows, image_rows).execute(line + image.offset, rows);
      case FftStep::kSpectrumToSlices:
        return Fft::complex_to_real(length, spectrum, spectra, slice, slices).execute(spectrum, slice);
      case FftStep::kSlicesToSpectrum:
        return Fft::real_to_complex(length, slice, slices, spectrum, spectra).execute(slice, spectrum);
    }
  }

  tomography::SliceTables tables_;
  bool backwards_;
};

/// One operator on the CPU, in groups of three samples; scratch memory full of NaN before every call.
class CpuTwin {
 public:
  static std::string missing() { return ""; }
  explicit CpuTwin(const tomography::SliceTables& tables, bool backwards = false)
      : sorted_(tomography::spread_order(tables)), tables_(tables), backwards_(backwards) {
    tables_.first_at = sorted_.first_at.data();
    tables_.order = sorted_.order.data();
  }

  TwinResult simulate(const tomography::NoiseModel& noise, uint64_t key, const std::vector<uint64_t>& ids, const std::vector<float>& x) {
    TwinResult result = begin(ids, bins());
    in_groups(key, ids, result, [&](auto& launcher, const auto& at, const auto& group, int64_t first) {
      launch_simulate(launcher, at, group, noise, x.data() + first * pixels(), result.values.data() + first * bins());
    });
    return result;
  }
  TwinResult transpose(const std::vector<float>& y) {
    const std::vector<uint64_t> ids(y.size() / static_cast<size_t>(bins()));
    TwinResult result = begin(ids, pixels());
    in_groups(0, ids, result, [&](auto& launcher, const auto& at, const auto& group, int64_t first) {
      launch_transpose(launcher, at, group, y.data() + first * bins(), bins(), result.values.data() + first * pixels());
    });
    return result;
  }
  /// values: the gradient.
  TwinResult loglik(const tomography::NoiseModel& noise, const std::vector<float>& y, const std::vector<float>& x) {
    const std::vector<uint64_t> ids(y.size() / static_cast<size_t>(bins()));
    TwinResult result = begin(ids, pixels());
    in_groups(0, ids, result, [&](auto& launcher, const auto& at, const auto& group, int64_t first) {
      launch_loglik(launcher, at, group, noise, y.data() + first * bins(), x.data() + first * pixels(), result.loglik.data() + first,
                    result.values.data() + first * pixels());
    });
    return result;
  }

 private:
  static constexpr int64_t kGroup = 3;
  [[nodiscard]] int64_t pixels() const { return tables_.image.pixels * tables_.image.pixels; }
  [[nodiscard]] int64_t bins() const { return tables_.views * tables_.bins; }
  static TwinResult begin(const std::vector<uint64_t>& ids, int64_t width) {
    return {std::vector<float>(ids.size() * static_cast<size_t>(width), 777), std::vector<double>(ids.size(), 777),
            std::vector<int32_t>(ids.size())};
  }
  template <class Body>
  void in_groups(uint64_t key, const std::vector<uint64_t>& ids, TwinResult& result, const Body& body) const {
    const auto count = static_cast<int64_t>(ids.size());
    const uint64_t bytes = tomography::slab_layout(tables_, kGroup, nullptr, nullptr);
    const tomography::Aligned<float> memory(static_cast<int64_t>(bytes / sizeof(float)));
    std::memset(static_cast<void*>(memory.data()), 0xFF, bytes);
    tomography::steps::Step at{tables_, {}};
    tomography::slab_layout(tables_, kGroup, memory.data(), &at.slab);
    CpuLauncher launcher(tables_, backwards_);
    for (int64_t first = 0; first < count; first += kGroup) {
      body(launcher, at, tomography::Group{std::min(kGroup, count - first), key, ids.data() + first, result.status.data() + first}, first);
    }
  }

  tomography::SpreadOrder sorted_;
  tomography::SliceTables tables_;
  bool backwards_;
};

}  // namespace unchannel::test
