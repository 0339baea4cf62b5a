// A long-slit or fibre spectrograph on a log-wavelength grid:
//
//     mean = a_mult * (K x) + a_add    K: Gaussian line-spread function, integrated over pixels, reflecting edges; one FWHM in
//                                      ln(wavelength) for all pixels, one for each arm, or one that follows a table
//     y    = mean + sigma * n          n ~ N(0, 1) per pixel
//
// noise = "snr":  sigma = mean over pixels of |mean| / snr, one number per spectrum, snr uniform in [snr_min, snr_max]
// noise = "ivar": sigma = ivar^(-1/2) per pixel from the survey's own inverse variance; pixels with mask != 0 or without positive ivar are
//                 unobserved
// noise = "none": y = mean
//
// Under night-sky lines (sky_mask != 0) pixels are unobserved, or noisier by sky_noise_factor.
//
// Unobserved pixels carry standard normal numbers that are a pure function of the spectrum's observed pixels (Inputs::fill_unobserved): the
// model never learns from them, and lift/1 puts the very same numbers into a real spectrum, whatever the survey left there.
#include "inputs.hpp"
#include "line_spread.hpp"
#include "pixel_loops.hpp"
#include "sky_lines.hpp"
#include "varying_resolution.hpp"

#include <unchannel/channel.hpp>

#include <cmath>
#include <numbers>

namespace spectrograph {

using std::span;

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
    const WavelengthGrid grid{wavelength_min_(), wavelength_max_(), pixels_};
    step_ln_lambda_ = grid.step();
    configure_resolution(grid);
    configure_sky(grid);
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
    return id != UNCHANNEL_LIFT_1 || noise_() == "ivar" || (sky_mask_.active() && sky_effect_() == "mask");
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
    if (const auto rows = call.draw(resolution_factor_)) {  // an arm is an element
      const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_LATENT, resolution_factor_.index()));
      for (int64_t i = 0; i < call.count(); ++i) {
        for (uint32_t arm = 0; arm < rows[i].size(); ++arm) {
          const auto u = static_cast<double>(unchannel_uniform(key, call.id(i), arm, 0));
          rows[i][arm] = static_cast<float>(1 + resolution_spread_() * (2 * u - 1));
        }
      }
    }
    if (const auto rows = call.draw(sky_mask_)) {
      for (int64_t i = 0; i < call.count(); ++i) {
        std::ranges::copy(sky_, rows[i].begin());
      }
    }
    draw(snr_, [&](auto... at) { return std::lerp(snr_min_(), snr_max_(), uniform(at...)); });
    draw(offset_multiplicative_, [&](auto... at) { return std::exp(offset_multiplicative_sigma_() * normal(at...)); });
    draw(offset_additive_, [&](auto... at) { return offset_additive_sigma_() * normal(at...); });
  }

  void simulate(const sdk::SimulateCall& call) const override {
    const Inputs in(*this, call, sky_);
    const uint64_t key = unchannel_derive(call.key(), unchannel_tag(UNCHANNEL_TAG_NOISE, 0));
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    const span<float> y = call.y[i];
                    const double sigma = mean_row(in, spread, i, call.x[i], y);
                    if (in.snr && in.sky_noise == 1) {
                      pixel_loops().add_noise(key, call.id(i), static_cast<float>(sigma), pixels_, y.data());
                    } else if (in.snr || in.ivar) {
                      add_uneven_noise(in, i, key, call.id(i), static_cast<float>(sigma), y);
                    }
                    in.fill_unobserved(i, y);
                  });
  }

  void lift(const sdk::LiftCall& call) const {
    const Inputs in(*this, call, sky_, true);
    call.for_each([&](int64_t i) {
      std::ranges::copy(call.y[i], call.lifted[i].begin());
      in.fill_unobserved(i, call.lifted[i]);
      for (const float value : call.lifted[i]) {
        if (!std::isfinite(value)) {
          throw sdk::SampleFailure(UNCHANNEL_SAMPLE_NOT_FINITE);
        }
      }
    });
  }

  void mean(const sdk::MeanCall& call) const {
    const Inputs in(*this, call, sky_);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    mean_row(in, spread, i, call.x[i], call.mean[i]);
                    in.keep_observed(i, call.mean[i]);
                  });
  }

  void vjp(const sdk::VjpCall& call) const {
    const Inputs in(*this, call, sky_);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    std::vector<float> cotangent(call.cotangent[i].begin(), call.cotangent[i].end());
                    in.keep_observed(i, cotangent);
                    apply_adjoint(in, spread, i, cotangent, call.gradient[i]);
                  });
  }

  /// Gaussian in the observed pixels. With noise = "snr" sigma depends on x, and so does the normalisation.
  void loglik(const sdk::LoglikCall& call) const {
    const Inputs in(*this, call, sky_);
    call.for_each([this] { return LineSpread(pixels_); },
                  [&](LineSpread& spread, int64_t i) {
                    std::vector<float> mean(static_cast<size_t>(pixels_));
                    const double sigma = mean_row(in, spread, i, call.x[i], mean);
                    double squares = 0, count = 0;  // of the residuals over their noise factor; observed pixels
                    double value = 0;
                    std::vector<float> slope(mean.size(), 0.0F);  // d loglik / d mean
                    for (size_t d = 0; d < mean.size(); ++d) {
                      if (!in.observed(i, d)) {
                        continue;
                      }
                      const auto factor = static_cast<double>(in.noise_factor(i, d));
                      const double scale = sigma * factor;  // "snr" only
                      const double precision = in.snr ? 1 / (scale * scale) : static_cast<double>(in.ivar[i][d]);
                      const double residual = static_cast<double>(call.y[i][d]) - static_cast<double>(mean[d]);
                      value += 0.5 * std::log(precision / (2 * std::numbers::pi)) - 0.5 * precision * residual * residual;
                      squares += residual * residual / (factor * factor);
                      ++count;
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
                      const auto each = static_cast<float>(by_sigma / (static_cast<double>(pixels_) * static_cast<double>(in.snr[i][0])));
                      // sigma = mean|mean| / snr, over all pixels
                      for (size_t d = 0; d < mean.size(); ++d) {
                        slope[d] += mean[d] < 0 ? -each : each;
                      }
                    }
                    apply_adjoint(in, spread, i, slope, call.gradient[i]);
                  });
  }

 private:
  void configure_resolution(const WavelengthGrid& grid) {
    const bool arms = !resolution_arms_().empty(), table = !resolution_table_().empty();
    if ((resolution_delta_() > 0) + arms + table > 1) {
      throw sdk::bad_argument("only one of resolution_delta_ln_lambda = ", resolution_delta_(), ", resolution_arms = \"",
                              resolution_arms_(), "\" and resolution_table = \"", resolution_table_(),
                              "\" may be given. Remove the others.");
    }
    if (resolution_delta_() > 0) {
      resolution_.activate();
    } else if (arms) {
      varying_ = VaryingResolution::of_arms(
          rows_of_text(resolution_arms_(), {"resolution_arms", 3, "first_angstrom last_angstrom fwhm_ln_lambda"}), grid);
      resolution_factor_.activate({varying_.factor_count()});
    } else if (table) {
      varying_ = VaryingResolution::of_table(
          rows_of_file(resolution_table_(), {"resolution_table", 2, "wavelength_angstrom fwhm_ln_lambda"}), grid);
      resolution_factor_.activate();
    }
  }

  void configure_sky(const WavelengthGrid& grid) {
    const std::string& lines = sky_lines_();
    if ((lines == "table") == sky_line_table_().empty()) {
      throw sdk::bad_argument("sky_lines = \"", lines, "\" and sky_line_table = \"", sky_line_table_(),
                              "\" must go together: set sky_lines = \"table\" and name the file, or leave the file out.");
    }
    if (lines == "none") {
      return;
    }
    if (sky_effect_() == "noise" && noise_() != "snr") {
      throw sdk::bad_argument("sky_effect = \"noise\" needs noise = \"snr\", not \"", noise_(),
                              "\": an inverse variance holds the sky's noise already. Set sky_effect = \"mask\".");
    }
    sky_ = pixels_on_lines(lines == "table"
                               ? listed_sky_lines(rows_of_file(sky_line_table_(), {"sky_line_table", 2, "centre_angstrom width_angstrom"}))
                               : strong_sky_lines(lines == "strong_vacuum", sky_line_width_()),
                           grid);
    sky_mask_.activate({pixels_});
  }

  /// Width of the line-spread function in pixels, for all of them.
  double sigma_pixels(const Inputs& in, int64_t i) const {
    const double fwhm = in.resolution ? static_cast<double>(in.resolution[i][0]) : 0;
    if (!(fwhm >= 0 && fwhm <= 2)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }  // a "model" latent may be anything
    return fwhm / (kFwhmOverSigma * step_ln_lambda_);
  }
  span<const float> resolution_factors(const Inputs& in, int64_t i) const {
    const span<const float> factors = in.resolution_factor[i];
    if (!(varying_.widest(factors) <= 2)) {
      throw sdk::SampleFailure(UNCHANNEL_SAMPLE_OUT_OF_DOMAIN);
    }
    return factors;
  }

  /// out = m (K x) + shift; returns the mean of |out|.
  double apply(const Inputs& in, LineSpread& spread, int64_t i, span<const float> x, float shift, span<float> out) const {
    if (in.resolution_factor) {
      varying_.apply(spread, resolution_factors(in, i), x, out);
    } else {
      spread.apply(sigma_pixels(in, i), x, out);
    }
    return affine(in, i, shift, out);
  }
  /// out = m K^T c.
  void apply_adjoint(const Inputs& in, LineSpread& spread, int64_t i, span<const float> c, span<float> out) const {
    if (in.resolution_factor) {
      varying_.apply_adjoint(spread, resolution_factors(in, i), c, out);
    } else {
      spread.apply(sigma_pixels(in, i), c, out);  // K is symmetric
    }
    affine(in, i, 0, out);
  }
  double affine(const Inputs& in, int64_t i, float shift, span<float> out) const {
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
  /// Noise whose sigma differs between pixels: a survey's own, or sigma times the factor of sky lines.
  static void add_uneven_noise(const Inputs& in, int64_t i, uint64_t key, uint64_t id, float sigma, span<float> y) {
    std::vector<float> normals(y.size());
    unchannel_normal_fill(key, id, 0, normals.size(), normals.data());
    for (size_t d = 0; d < y.size(); ++d) {
      if (in.observed(i, d)) {
        y[d] += in.ivar ? normals[d] / std::sqrt(in.ivar[i][d]) : sigma * in.noise_factor(i, d) * normals[d];
      }
    }
  }

  int64_t pixels_ = 0;
  double step_ln_lambda_ = 0;
  VaryingResolution varying_;  // active with resolution_factor
  std::vector<int32_t> sky_;   // [D] 1 under the configured lines; empty: none
};

}  // namespace spectrograph

UNCHANNEL_MODULE(spectrograph::Spectrograph)
