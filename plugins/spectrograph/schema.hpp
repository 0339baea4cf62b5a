// What the spectrograph declares: identity, parameters and latents. The formulas are in spectrograph.cpp, the explanations in
// spectrograph.toml.
#pragma once

#include <unchannel/channel.hpp>

namespace spectrograph {

namespace sdk = unchannel::sdk;

class Schema : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = "org.unchannel.spectrograph",
      .name = "Spectrograph",
      .version = "1.1.0",
      .vendor = "unchannel",
      .url = "",
      .licence = "Apache-2.0",
      .description =
          "y = m (LSF * x) + a + noise on a log-wavelength grid of D pixels: flux-calibration offsets m and a, a Gaussian line-spread "
          "function given by its FWHM in ln(wavelength), for all pixels, by arm or by wavelength, white noise of a random signal-to-noise "
          "ratio or the survey's own inverse variance and mask, and pixels lost or noisy under night-sky lines. Fluxes are in the unit of "
          "the data (flux density per wavelength).",
      .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
      .thread_class = UNCHANNEL_THREADS_REENTRANT};

 protected:
  static constexpr uint32_t kUnknown = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN, kShapes = UNCHANNEL_PARAMETER_CHANGES_SHAPES;
  sdk::Real wavelength_min_{*this,
                            {.id = "wavelength_min_angstrom",
                             .unit = "angstrom",
                             .value = 4000,
                             .min = 0,
                             .doc = "Wavelength of the first pixel; pixels are equal in ln(wavelength).",
                             .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real wavelength_max_{*this,
                            {.id = "wavelength_max_angstrom",
                             .unit = "angstrom",
                             .value = 5320,
                             .min = 0,
                             .doc = "Wavelength of the last pixel.",
                             .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real resolution_delta_{
      *this,
      {.id = "resolution_delta_ln_lambda",
       .value = 0,
       .min = 0,
       .max = 1,
       .doc = "FWHM of the line-spread function in ln(wavelength), 1 / resolving power; may be below a pixel; 0: no smoothing.",
       .flags = kUnknown | kShapes}};
  sdk::Real resolution_spread_{*this,
                               {.id = "resolution_relative_spread",
                                .value = 0,
                                .min = 0,
                                .max = 1,
                                .doc = "Each spectrum's FWHM, or each arm's, is uniform within this fraction around its nominal value.",
                                .flags = kUnknown}};
  sdk::Text resolution_arms_{*this,
                             {.id = "resolution_arms",
                              .value = "",
                              .doc = "One arm a line: first and last wavelength in angstrom, FWHM in ln(wavelength).",
                              .flags = kShapes}};
  sdk::Text resolution_table_{
      *this,
      {.id = "resolution_table",
       .value = "",
       .doc = "Text file, ascending: wavelength in angstrom, FWHM in ln(wavelength); linear in ln(wavelength) in between.",
       .type = UNCHANNEL_TYPE_PATH,
       .flags = kShapes}};
  sdk::Real offset_multiplicative_sigma_{*this,
                                         {.id = "offset_multiplicative_sigma",
                                          .value = 0,
                                          .min = 0,
                                          .max = 1,
                                          .doc = "Flux calibration: each spectrum is multiplied by exp(this * n), n ~ N(0, 1). 0: off.",
                                          .flags = kUnknown | kShapes}};
  sdk::Real offset_additive_sigma_{
      *this,
      {.id = "offset_additive_sigma",
       .unit = "flux",
       .value = 0,
       .min = 0,
       .doc = "Sky subtraction: each spectrum is shifted by this * n, n ~ N(0, 1), in the unit of the data. 0: off.",
       .flags = kUnknown | kShapes}};
  sdk::Text noise_{
      *this,
      {.id = "noise",
       .value = "snr",
       .doc = "snr: white, level drawn for each spectrum. ivar: from the latents ivar and mask of the observations. none: noise-free.",
       .choices = {"snr", "ivar", "none"},
       .flags = kShapes}};
  sdk::Real snr_min_{*this,
                     {.id = "snr_min",
                      .value = 0.5,
                      .min = 0,
                      .doc = "Lowest signal-to-noise ratio per pixel, mean|y noise-free| / sigma.",
                      .flags = kUnknown | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real snr_max_{*this,
                     {.id = "snr_max",
                      .value = 2,
                      .min = 0,
                      .doc = "Highest signal-to-noise ratio per pixel.",
                      .flags = kUnknown | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Text sky_lines_{
      *this,
      {.id = "sky_lines",
       .value = "none",
       .doc = "Night-sky lines. strong_air, strong_vacuum: eight built-in ones (NIST wavelengths in air or vacuum). table: sky_line_table.",
       .choices = {"none", "strong_air", "strong_vacuum", "table"},
       .flags = kShapes}};
  sdk::Text sky_line_table_{*this,
                            {.id = "sky_line_table",
                             .value = "",
                             .doc = "Text file, one line of the sky a line: centre and full width in angstrom.",
                             .type = UNCHANNEL_TYPE_PATH,
                             .flags = kShapes}};
  sdk::Real sky_line_width_{*this,
                            {.id = "sky_line_width_angstrom",
                             .unit = "angstrom",
                             .value = 8,
                             .min = 0,
                             .doc = "Full width of the window around each built-in line.",
                             .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Text sky_effect_{*this,
                        {.id = "sky_effect",
                         .value = "mask",
                         .doc = "mask: pixels under sky lines are unobserved. noise: sigma is sky_noise_factor times larger there.",
                         .choices = {"mask", "noise"},
                         .flags = kShapes}};
  sdk::Real sky_noise_factor_{
      *this, {.id = "sky_noise_factor", .value = 5, .min = 1, .max = 1000, .doc = "Factor on sigma under sky lines.", .flags = kUnknown}};

  sdk::Latent<float> resolution_{*this,
                                 {.id = "resolution",
                                  .prior = "uniform(resolution_delta_ln_lambda - resolution_delta_ln_lambda * resolution_relative_spread, "
                                           "resolution_delta_ln_lambda + resolution_delta_ln_lambda * resolution_relative_spread)",
                                  .doc = "FWHM of this spectrum's line-spread function in ln(wavelength)."}};
  sdk::Latent<float> snr_{*this,
                          {.id = "snr", .prior = "uniform(snr_min, snr_max)", .doc = "Signal-to-noise ratio per pixel of this spectrum."}};
  sdk::Latent<float> offset_multiplicative_{
      *this, {.id = "offset_multiplicative", .prior = "lognormal(0, offset_multiplicative_sigma)", .doc = "Factor on this spectrum."}};
  sdk::Latent<float> offset_additive_{
      *this, {.id = "offset_additive", .unit = "flux", .prior = "normal(0, offset_additive_sigma)", .doc = "Shift of this spectrum."}};
  sdk::Latent<float> ivar_{*this,
                           {.id = "ivar",
                            .unit = "1/flux^2",
                            .doc = "Inverse variance of each pixel; 0: not observed.",
                            .flags = UNCHANNEL_LATENT_VISIBLE | UNCHANNEL_LATENT_DATA_ONLY}};
  sdk::Latent<int32_t> mask_{*this,
                             {.id = "mask",
                              .unit = "",
                              .doc = "Not 0: this pixel is bad or missing.",
                              .flags = UNCHANNEL_LATENT_VISIBLE | UNCHANNEL_LATENT_DATA_ONLY}};
  // New latents at the end: the place is part of each one's random key.
  sdk::Latent<float> resolution_factor_{*this,
                                        {.id = "resolution_factor",
                                         .prior = "uniform(1 - resolution_relative_spread, 1 + resolution_relative_spread)",
                                         .doc = "Factor on the FWHM of each arm, or on all of resolution_table."}};
  sdk::Latent<int32_t> sky_mask_{
      *this,
      {.id = "sky_mask",
       .unit = "",
       .prior = "other: 1 in the pixels under the configured sky lines, 0 elsewhere",
       .doc = "Not 0: this pixel lies under a night-sky line. The same for every spectrum unless it comes with the data.",
       .flags = UNCHANNEL_LATENT_VISIBLE}};

 private:
  friend struct Inputs;
};

}  // namespace spectrograph
