// Parallel-beam tomography of an N × N image:
//
//     m = A x                                     line integrals averaged over detector bins, see geometry.hpp
//     noise = "none":     y = m
//     noise = "gaussian": y = m + noise_sigma n,  n ~ N(0, 1) per bin
//     noise = "poisson":  y = ln(I0 / max(counts, 1/2)),  counts ~ Poisson(I0 exp(-m)),  I0 = photon_count
//
// A bin without a photon is thus given half a photon: y = ln(2 I0), which no other count gives, so loglik still knows that it was none.
#pragma once

#include "noise.hpp"
#include "schema.hpp"
#include "transforms.hpp"

#include <unchannel/channel.hpp>

#include <cmath>

namespace tomography {

using std::span;

constexpr int64_t kLargestImage = 4096;
constexpr int64_t kMostSamples = int64_t{1} << 23;  // of the Fourier plane, 76 bytes each

class Tomography : public Schema {
 public:
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    const Geometry geometry = checked_geometry(x_shape);
    operators_ = std::make_unique<Operators>(geometry, lift_(), filter_());
    return {geometry.views(), geometry.bins};
  }

  [[nodiscard]] bool offers(std::string_view id) const { return id != UNCHANNEL_LOGLIK_1 || noise_() != "none"; }

  void simulate(const sdk::SimulateCall& call) const override {
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    each(call, operators_->project, [&](Scratch& scratch, int64_t i) {
      const span<float> y = call.y[i];
      project(call.x[i], y, scratch);
      if (noise_() == "gaussian") {
        add_gaussian(key, call.id(i), y);
      } else if (noise_() == "poisson") {
        count_photons(key, call.id(i), y);
      }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    each(call, operators_->project, [&](Scratch& scratch, int64_t i) { project(call.x[i], call.mean[i], scratch); });
  }
  void jvp(const sdk::JvpCall& call) const {
    each(call, operators_->project, [&](Scratch& scratch, int64_t i) { project(call.tangent[i], call.derivative[i], scratch); });
  }
  void vjp(const sdk::VjpCall& call) const {
    each(call, operators_->project,
         [&](Scratch& scratch, int64_t i) { transpose(operators_->project, call.cotangent[i], call.gradient[i], scratch); });
  }
  void adjoint(const sdk::AdjointCall& call) const {
    each(call, operators_->project, [&](Scratch& scratch, int64_t i) { transpose(operators_->project, call.y[i], call.x[i], scratch); });
  }
  void lift(const sdk::LiftCall& call) const {
    each(call, operators_->lift, [&](Scratch& scratch, int64_t i) { transpose(operators_->lift, call.y[i], call.lifted[i], scratch); });
  }

  /// The log density of y (gaussian), or the log probability of its counts (poisson), which for counts that are no whole numbers, as in
  /// calibrated data, continues it with ln Gamma(counts + 1).
  void loglik(const sdk::LoglikCall& call) const {
    each(call, operators_->project, [&](Scratch& scratch, int64_t i) {
      std::vector<float> mean(call.y[i].size());
      project(call.x[i], mean, scratch);
      // mean becomes d loglik / d mean
      call.loglik[i] = noise_() == "poisson" ? poisson_loglik(call.y[i], mean) : gaussian_loglik(call.y[i], mean);
      if (!std::isfinite(call.loglik[i])) {
        call.loglik[i] = 0;
        throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
      }
      if (call.gradient) {
        transpose(operators_->project, mean, call.gradient[i], scratch);
      }
    });
  }

 protected:
  using Scratch = SliceOperator::Scratch;
  struct Operators {
    Operators(const Geometry& geometry, std::string_view lift_name, std::string_view filter)
        : image(geometry.pixels),
          project(projector(geometry, image)),
          lift(lift_name == "fourier_slice" ? fourier_slice(geometry, image)
                                            : filtered_back_projection(geometry, image,
                                                                       filter == "hann"          ? Filter::kHann
                                                                       : filter == "shepp_logan" ? Filter::kSheppLogan
                                                                                                 : Filter::kRamp)) {}
    ImageGrid image;
    SliceOperator project, lift;
  };
  std::unique_ptr<Operators> operators_;

 private:
  [[nodiscard]] Geometry checked_geometry(const sdk::Shape& x) const {
    const bool planar = x.size() == 2 || (x.size() == 3 && x[0] == 1);
    if (!planar || x[x.size() - 1] != x[x.size() - 2] || x.back() < 2 || x.back() > kLargestImage) {
      std::string got;
      for (const int64_t extent : x) {
        got += (got.empty() ? "" : ", ") + std::to_string(extent);
      }
      throw sdk::bad_argument("x must have the shape [N, N] or [1, N, N] with N from 2 to ", kLargestImage, ", not [", got,
                              "]. Pad the image to a square.");
    }
    const int64_t pixels = x.back();
    const double pitch = (pitch_() == 0 ? pixel_size_() : pitch_()) / pixel_size_(), offset = offset_() / pixel_size_();
    const auto side = static_cast<double>(pixels);
    if (!(pitch >= 1.0 / 32 && pitch <= side)) {
      throw sdk::bad_argument("detector_pitch = ", pitch_(), " must lie between 1/32 of pixel_size = ", pixel_size_(),
                              " and the image's side of ", pixels, " pixels; 0 takes pixel_size.");
    }
    if (!(std::abs(offset) <= side)) {
      throw sdk::bad_argument("detector_offset = ", offset_(), " is more than the image's side of ", pixels,
                              " pixels of pixel_size = ", pixel_size_(),
                              "; give the distance of the detector's middle from the rotation axis.");
    }
    Geometry geometry{pixels, pixel_size_(), {}, {}, bins_() == 0 ? covering_bins(pixels, pitch) : bins_(), pitch, offset};
    const double frequencies = std::max(2 * static_cast<double>(geometry.bins) * pitch, geometry.reach()) * 0.75 + 16;
    if (frequencies * static_cast<double>(views_()) > static_cast<double>(kMostSamples)) {
      throw sdk::bad_argument("views = ", views_(), " times detector_bins = ", geometry.bins, " at N = ", pixels, " needs more than ",
                              kMostSamples, " samples of the Fourier plane. Take fewer views or bins.");
    }
    set_angles(geometry, views_(), angle_start_(), angle_range_());
    return geometry;
  }

  /// body(scratch, i) for every sample. One sample is work enough for a task.
  template <class Body>
  static void each(const sdk::Call& call, const SliceOperator& slices, Body&& body) {
    call.for_each([&] { return slices.borrow(); }, [&](const auto& scratch, int64_t i) { body(*scratch, i); }, 1);
  }

  void project(span<const float> x, span<float> y, Scratch& scratch) const {
    operators_->project.apply(x.data(), y.data(), scratch);
    require_finite(y);
  }
  static void transpose(const SliceOperator& slices, span<const float> y, span<float> x, Scratch& scratch) {
    slices.transpose(y.data(), x.data(), scratch);
    require_finite(x);
  }
  static void require_finite(span<const float> values) {
    for (const float value : values) {
      if (!std::isfinite(value)) {
        throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
      }
    }
  }

  void add_gaussian(uint64_t key, uint64_t id, span<float> y) const {
    std::vector<float> normals(y.size());
    unchannel_normal_fill(key, id, 0, normals.size(), normals.data());
    const auto sigma = static_cast<float>(sigma_());
    for (size_t d = 0; d < y.size(); ++d) {
      y[d] += sigma * normals[d];
    }
  }

  [[nodiscard]] double photons_behind(float line_integral) const {
    const double expected = expected_photons(photons_(), line_integral);
    if (!countable(expected)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }
    return expected;
  }
  void count_photons(uint64_t key, uint64_t id, span<float> y) const {
    for (size_t d = 0; d < y.size(); ++d) {
      y[d] = reading(photons_(), poisson(key, id, static_cast<uint32_t>(d), photons_behind(y[d])));
    }
  }

  /// Both replace mean by the derivative of the result with respect to it.
  double gaussian_loglik(span<const float> y, span<float> mean) const {
    const double precision = 1 / (sigma_() * sigma_());
    double squares = 0;
    for (size_t d = 0; d < y.size(); ++d) {
      const Score score = gaussian_score(precision, y[d], mean[d]);
      squares += score.value;
      mean[d] = score.derivative;
    }
    return gaussian_log_density(precision, static_cast<int64_t>(y.size()), squares);
  }
  double poisson_loglik(span<const float> y, span<float> mean) const {
    double sum = 0;
    for (size_t d = 0; d < y.size(); ++d) {
      const Score score = poisson_score(photons_(), photons_behind(mean[d]), y[d], mean[d]);
      sum += score.value;
      mean[d] = score.derivative;
    }
    return sum;
  }
};

}  // namespace tomography
