// The order of the steps and of the FFTs between them, for whatever runs them: a template over the launcher, so that the sequence which
// the tests see on the CPU is the one that CUDA enqueues. C++17, no FFTW, no CUDA.
//
// A Launcher has
//     run(step, samples)              every item of every sample, then the next step
//     transform(FftStep, slab, samples)   the FFTs of a step, unnormalised
#pragma once

#include "twin_steps.hpp"

#include <cstddef>

namespace tomography {

/// kRowsToGrid: real-to-complex, N rows of length G → elements offset … offset + N - 1 of lines 0 … G / 2. kLines, kLinesBack: complex, in
/// place, along those lines. kGridToRows: complex-to-real, back. kSlicesToSpectrum, kSpectrumToSlices: rows of length `length`, per view.
enum class FftStep { kRowsToGrid, kLines, kSpectrumToSlices, kSlicesToSpectrum, kLinesBack, kGridToRows };

/// Bytes of a Slab for `samples` samples; with `memory` (aligned to 64), the slab itself.
inline uint64_t slab_layout(const SliceTables& t, int64_t samples, void* memory, Slab* slab) {
  uint64_t used = 0;
  const auto place = [&](auto*& array, int64_t& apart, int64_t count) {
    using Value = std::remove_reference_t<decltype(*array)>;
    constexpr int64_t kTogether = 64 / sizeof(Value);  // every sample begins on a cache line
    apart = (count + kTogether - 1) / kTogether * kTogether;
    array = memory == nullptr ? nullptr : reinterpret_cast<Value*>(static_cast<char*>(memory) + used);
    used += static_cast<uint64_t>(apart * samples) * sizeof(Value);
  };
  Slab s{};
  place(s.partial, s.of_partial, t.views);
  place(s.grid, s.of_grid, t.image.lines * t.image.pitch);
  place(s.values, s.of_values, t.views * t.frequencies);
  place(s.spectrum, s.of_spectrum, t.views * (t.length / 2 + 1));
  place(s.rows, s.of_rows, t.image.pixels * t.image.size);
  place(s.slices, s.of_slices, t.views * t.length);
  place(s.residual, s.of_residual, t.views * t.bins);
  if (slab != nullptr) {
    *slab = s;
  }
  return used;
}

/// Where the samples of a group lie: ids and status [samples].
struct Group {
  int64_t samples;
  uint64_t key;  ///< of the noise
  const uint64_t* ids;
  int32_t* status;
};
struct NoiseModel {
  Noise kind;
  double sigma, photon_count;
};

/// x [samples, N, N] → y [samples, views, bins]; what is not finite marks its sample.
template <class Launcher>
void launch_apply(Launcher& on, const steps::Step& at, const Group& group, const float* x, float* y) {
  using namespace steps;
  const int64_t samples = group.samples;
  on.run(PadRows{at, x}, samples);
  on.run(ClearMargins{at}, samples);
  on.transform(FftStep::kRowsToGrid, at.slab, samples);
  on.transform(FftStep::kLines, at.slab, samples);
  on.run(ExtendGrid{at}, samples);
  on.run(GatherSpectrum{at}, samples);
  on.transform(FftStep::kSpectrumToSlices, at.slab, samples);
  on.run(TakeBins{at, y, group.status}, samples);
}

/// y [samples, views, bins], of_y numbers from one sample to the next → x [samples, N, N]; failed samples become zero.
template <class Launcher>
void launch_transpose(Launcher& on, const steps::Step& at, const Group& group, const float* y, int64_t of_y, float* x) {
  using namespace steps;
  const int64_t samples = group.samples;
  on.run(PutBins{at, y, of_y}, samples);
  on.transform(FftStep::kSlicesToSpectrum, at.slab, samples);
  on.run(WeighSpectrum{at}, samples);
  on.run(CollectGrid{at}, samples);
  on.run(FoldGrid{at}, samples);
  on.transform(FftStep::kLinesBack, at.slab, samples);
  on.run(RealEnds{at}, samples);
  on.transform(FftStep::kGridToRows, at.slab, samples);
  on.run(TakeImage{at, x, group.status}, samples);
  on.run(ZeroFailed{x, group.status, at.pixels()}, samples);
}

template <class Launcher>
void launch_simulate(Launcher& on, const steps::Step& at, const Group& group, const NoiseModel& noise, const float* x, float* y) {
  using namespace steps;
  launch_apply(on, at, group, x, y);
  if (noise.kind == Noise::kGaussian) {
    on.run(AddGaussian{at, y, group.key, group.ids, static_cast<float>(noise.sigma)}, group.samples);
  } else if (noise.kind == Noise::kPoisson) {
    on.run(CountPhotons{at, y, group.status, group.key, group.ids, noise.photon_count}, group.samples);
  }
  on.run(ZeroFailed{y, group.status, at.bins()}, group.samples);
}

/// loglik [samples]; gradient [samples, N, N] or NULL.
template <class Launcher>
void launch_loglik(Launcher& on, const steps::Step& at, const Group& group, const NoiseModel& noise, const float* y, const float* x,
                   double* loglik, float* gradient) {
  using namespace steps;
  // TakeBins writes samples views · bins apart.
  Step tight = at;
  tight.slab.of_residual = at.bins();
  launch_apply(on, tight, group, x, tight.slab.residual);
  const double precision = noise.kind == Noise::kGaussian ? 1 / (noise.sigma * noise.sigma) : 0;
  on.run(ScoreView{tight, y, group.status, noise.kind, precision, noise.photon_count}, group.samples);
  on.run(SumViews{tight, loglik, group.status, noise.kind, precision}, group.samples);
  if (gradient != nullptr) {
    launch_transpose(on, tight, group, tight.slab.residual, tight.slab.of_residual, gradient);
  }
}

}  // namespace tomography
