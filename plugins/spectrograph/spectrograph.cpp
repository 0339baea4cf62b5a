// A long-slit or fibre spectrograph on a log-wavelength grid:
//
//     mean = a_mult * (K x) + a_add          K: Gaussian line-spread function, FWHM in ln(wavelength), integrated over pixels, reflecting
//     edges y    = mean + sigma * n                n ~ N(0, 1) per pixel
//
// noise = "snr":  sigma = mean over pixels of |mean| / snr, one number per spectrum, snr uniform in [snr_min, snr_max]
// noise = "ivar": sigma = ivar^(-1/2) per pixel from the survey's own inverse variance; pixels with mask != 0 or without positive ivar are
// unobserved noise = "none": y = mean
//
// Unobserved pixels carry standard normal numbers that are a pure function of the spectrum's observed pixels (fill_unobserved below): the
// model never learns from them, and lift/1 puts the very same numbers into a real spectrum, whatever the survey left there.
#include "line_spread.hpp"
#include "pixel_loops.hpp"
#include "schema.hpp"

#include <unchannel/channel.hpp>

#include <bit>
#include <cmath>
#include <numbers>

namespace spectrograph {

using std::span;

constexpr double kFwhmOverSigma = 2.3548200450309493;  // 2 sqrt(2 ln 2)

class Spectrograph final : public Schema {
 public:
  sdk::Shape configure(const sdk::Shape& x_shape) override {
    if (x_shape.size() != 1 || x_shape[0] < 2) {
      throw sdk::bad_argument("x must have the shape [D] with at least 2 pixels, not rank ", x_shape.size(), ".");
    }
    if (wavelength_min_() >= wavelength_max_()) {
      throw sdk::bad_argument("wavelength_min_angstrom = ", wavelength_min_(),
                              " must be below wavelength_max_angstrom = ", wavelength_max_(), ".");
    }
    if (noise_() == "snr" && snr_min_() > snr_max_()) {
      throw sdk::bad_argument("snr_min = ", snr_min_(), " must not be above snr_max = ", snr_max_(), ".");
    }
    pixels_ = x_shape[0];
    step_ln_lambda_ = std::log(wavelength_max_() / wavelength_min_()) / static_cast<double>(pixels_ - 1);
    if (resolution_delta_() > 0) {
      resolution_.activate();
    }
    if (offset_multiplicative_sigma_() > 0) {
      offset_multiplicative_.activate();
    }
    if (offset_additive_sigma_() > 0) {
      offset_additive_.activate();
    }
    if (noise_() == "snr") {
      snr_.activate();
    }
    if (noise_() == "ivar") {
      ivar_.activate(x_shape), mask_.activate(x_shape);
    }
    return x_shape;
  }

  [[nodiscard]] bool offers(std::string_view id) const {
    if (id == UNCHANNEL_LOGLIK_1) {
      return noise_() != "none";
    }
    return id != UNCHANNEL_LIFT_1 || noise_() == "ivar";
  }

  void draw_latents(const sdk::DrawCall& call) const override {
    if (call.has(ivar_) || call.has(mask_)) {
      throw sdk::bad_argument(
          "ivar and mask belong to the observations and cannot be drawn fresh: set source = \"data\" (or \"own\") for both latents.");
    }
    const auto draw = [&call](const sdk::Latent<float>& latent, auto&& value) {
      const auto rows = call.draw(latent);
      const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_LATENT, latent.index()));
      for (int64_t i = 0; rows && i < call.count(); ++i) {
        rows[i][0] = static_cast<float>(value(key, call.id(i)));
      }
    };
    const auto uniform = [](uint64_t key, uint64_t id) { return static_cast<double>(unchannel_uniform(key, id, 0, 0)); };
    const auto normal = [](uint64_t key, uint64_t id) { return static_cast<double>(unchannel_normal(key, id, 0, 0)); };
    draw(resolution_, [&](auto... at) { return resolution_delta_() * (1 + resolution_spread_() * (2 * uniform(at...) - 1)); });
    draw(snr_, [&](auto... at) { return std::lerp(snr_min_(), snr_max_(), uniform(at...)); });
    draw(offset_multiplicative_, [&](auto... at) { return std::exp(offset_multiplicative_sigma_() * normal(at...)); });
    draw(offset_additive_, [&](auto... at) { return offset_additive_sigma_() * normal(at...); });
  }

  void simulate(const sdk::SimulateCall& call) const override {
    const Inputs in(*this, call);
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    const span<float> y = call.y[i];
                    const double sigma = mean_row(in, spread, i, call.x[i], y);
                    if (in.snr) {
                      pixel_loops().add_noise(key, call.id(i), static_cast<float>(sigma), pixels_, y.data());
                    }
                    if (in.ivar) {
                      std::vector<float> normals(y.size());
                      unchannel_normal_fill(key, call.id(i), 0, normals.size(), normals.data());
                      for (size_t d = 0; d < y.size(); ++d) {
                        if (in.observed(i, d)) {
                          y[d] += normals[d] / std::sqrt(in.ivar[i][d]);
                        }
                      }
                      fill_unobserved(in, i, y);
                    }
                  });
  }

  void lift(const sdk::LiftCall& call) const {
    const Inputs in(*this, call, true);
    call.for_each([&](int64_t i) {
      std::ranges::copy(call.y[i], call.lifted[i].begin());
      fill_unobserved(in, i, call.lifted[i]);
      for (const float value : call.lifted[i]) {
        if (!std::isfinite(value)) {
          throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
        }
      }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    const Inputs in(*this, call);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    mean_row(in, spread, i, call.x[i], call.mean[i]);
                    in.keep_observed(i, call.mean[i]);
                  });
  }

  void vjp(const sdk::VjpCall& call) const {
    const Inputs in(*this, call);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    std::vector<float> cotangent(call.cotangent[i].begin(), call.cotangent[i].end());
                    in.keep_observed(i, cotangent);
                    apply(in, spread, i, cotangent, 0, call.gradient[i]);
                  });
  }

  /// Gaussian in the observed pixels. With noise = "snr" sigma depends on x, and so does the normalisation.
  void loglik(const sdk::LoglikCall& call) const {
    const Inputs in(*this, call);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    std::vector<float> mean(static_cast<size_t>(pixels_));
                    const double sigma = mean_row(in, spread, i, call.x[i], mean);
                    const double count = static_cast<double>(pixels_);
                    double squares = 0;  // of all residuals, "snr" only
                    double value = 0;
                    std::vector<float> slope(mean.size(), 0.0F);  // d loglik / d mean
                    for (size_t d = 0; d < mean.size(); ++d) {
                      const double precision = in.snr ? 1 / (sigma * sigma) : in.observed(i, d) ? static_cast<double>(in.ivar[i][d]) : 0;
                      if (precision == 0) {
                        continue;
                      }
                      const double residual = static_cast<double>(call.y[i][d]) - static_cast<double>(mean[d]);
                      value += 0.5 * std::log(precision / (2 * std::numbers::pi)) - 0.5 * precision * residual * residual;
                      squares += residual * residual;
                      slope[d] = static_cast<float>(precision * residual);
                    }
                    if (!std::isfinite(value)) {
                      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
                    }
                    call.loglik[i] = value;
                    if (!call.gradient) {
                      return;
                    }
                    if (in.snr) {
                      const double by_sigma = (squares / (sigma * sigma) - count) / sigma;
                      const auto each =
                          static_cast<float>(by_sigma / (count * static_cast<double>(in.snr[i][0])));  // sigma = mean|mean| / snr
                      for (size_t d = 0; d < mean.size(); ++d) {
                        slope[d] += mean[d] < 0 ? -each : each;
                      }
                    }
                    apply(in, spread, i, slope, 0, call.gradient[i]);
                  });
  }

 private:
  /// The latents of one call; an inactive one is empty.
  struct Inputs {
    Inputs(const Spectrograph& s, const sdk::Call& call, bool hidden_may_lack = false) {
      const auto take = [&](const auto& latent, auto& rows) {
        if (latent.active() && (call.has(latent) || !hidden_may_lack)) {
          rows = call.latent(latent);
        }
      };
      take(s.resolution_, resolution), take(s.snr_, snr), take(s.offset_multiplicative_, multiplicative);
      take(s.offset_additive_, additive), take(s.ivar_, ivar), take(s.mask_, mask);
    }
    [[nodiscard]] bool observed(int64_t i, size_t d) const {
      return (!mask || mask[i][d] == 0) && (!ivar || (ivar[i][d] > 0 && std::isfinite(ivar[i][d])));
    }
    void keep_observed(int64_t i, span<float> values) const {
      for (size_t d = 0; (mask || ivar) && d < values.size(); ++d) {
        if (!observed(i, d)) {
          values[d] = 0;
        }
      }
    }
    sdk::Rows<const float> resolution, snr, multiplicative, additive, ivar;
    sdk::Rows<const int32_t> mask;
  };

  /// out = m (K x) + shift; returns the mean of |out|.
  double apply(const Inputs& in, LineSpread& spread, int64_t i, span<const float> x, float shift, span<float> out) const {
    const double fwhm = in.resolution ? static_cast<double>(in.resolution[i][0]) : 0;
    if (!(fwhm >= 0 && fwhm <= 2)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }  // a "model" latent may be anything
    spread.apply(fwhm / (kFwhmOverSigma * step_ln_lambda_), x, out);
    const float scale = in.multiplicative ? in.multiplicative[i][0] : 1;
    const double size = pixel_loops().affine(scale, shift, pixels_, out.data()) / static_cast<double>(pixels_);
    if (!std::isfinite(size)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
    }
    return size;
  }
  /// out = mean, noise-free, in all pixels; returns sigma of noise = "snr" (otherwise 0).
  double mean_row(const Inputs& in, LineSpread& spread, int64_t i, span<const float> x, span<float> out) const {
    const double size = apply(in, spread, i, x, in.additive ? in.additive[i][0] : 0, out);
    if (!in.snr) {
      return 0;
    }
    const auto snr = static_cast<double>(in.snr[i][0]);
    if (!(snr > 0)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }
    return size / snr;
  }
  /// Unobserved pixel d gets unchannel_normal(h, 0, d, 0), h: a Philox chain over the places and bits of all observed pixels.
  static void fill_unobserved(const Inputs& in, int64_t i, span<float> y) {
    if (!in.mask && !in.ivar) {
      return;
    }
    uint64_t hash = 0x73706563746F6772;
    bool complete = true;
    for (size_t d = 0; d < y.size(); ++d) {
      if (in.observed(i, d)) {
        hash = (hash ^ std::bit_cast<uint32_t>(y[d]) ^ (static_cast<uint64_t>(d) << 32)) * 0x9E3779B97F4A7C15;
        hash ^= hash >> 29;
      } else {
        complete = false;
      }
    }
    if (complete) {
      return;
    }
    const uint64_t key = unchannel_derive(hash, unchannel_tag(UNCHANNEL_TAG_PLUGIN, 0));
    for (size_t d = 0; d < y.size(); ++d) {
      if (!in.observed(i, d)) {
        y[d] = unchannel_normal(key, 0, static_cast<uint32_t>(d), 0);
      }
    }
  }

  int64_t pixels_ = 0;
  double step_ln_lambda_ = 0;
};

}  // namespace spectrograph

UNCHANNEL_MODULE(spectrograph::Spectrograph)
