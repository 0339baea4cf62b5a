// What tomography declares: identity and parameters. The formulas are in README.md, the explanations in tomography.toml.
#pragma once

#include <unchannel/channel.hpp>

namespace tomography {

namespace sdk = unchannel::sdk;

class Schema : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = "org.unchannel.tomography",
      .name = "Tomography",
      .version = "1.0.0",
      .vendor = "unchannel",
      .url = "",
      .licence = "Apache-2.0",
      .description =
          "y = A x + noise: parallel-beam projections [views, bins] of an N x N image x (or [1, N, N]) of pixel averages. y holds line "
          "integrals, in the unit of x times that of pixel_size, averaged over detector bins. Gaussian noise on y, or Poisson noise on "
          "photon counts of which y is the logarithm. lift: filtered back-projection or Fourier slice.",
      .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
      .thread_class = UNCHANNEL_THREADS_REENTRANT};

 protected:
  static constexpr uint32_t kUnknown = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN, kShapes = UNCHANNEL_PARAMETER_CHANGES_SHAPES;
  static constexpr uint32_t kCaches = UNCHANNEL_PARAMETER_AFFECTS_CACHES;
  sdk::Integer views_{*this,
                      {.id = "views", .value = 180, .min = 1, .max = 65536, .doc = "Number of projection angles.", .flags = kShapes}};
  sdk::Real angle_start_{*this,
                         {.id = "angle_start_degree",
                          .unit = "degree",
                          .value = 0,
                          .min = -360,
                          .max = 360,
                          .doc = "First angle; 0 sums the columns, 90 the rows.",
                          .flags = kCaches}};
  sdk::Real angle_range_{
      *this,
      {.id = "angle_range_degree",
       .unit = "degree",
       .value = 180,
       .min = 0,
       .max = 360,
       .doc = "Views are angle_range_degree / views apart, the last one that much before the end. Below 180: limited angle.",
       .flags = kCaches | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real pixel_size_{*this,
                        {.id = "pixel_size",
                         .unit = "length",
                         .value = 1,
                         .min = 0,
                         .doc = "Side of an image pixel, in the length whose inverse is the unit of x.",
                         .flags = kCaches | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Integer bins_{*this,
                     {.id = "detector_bins",
                      .value = 0,
                      .min = 0,
                      .max = 65536,
                      .doc = "Detector bins per view. 0: as many as see every line through the image.",
                      .flags = kShapes}};
  sdk::Real pitch_{*this,
                   {.id = "detector_pitch",
                    .unit = "length",
                    .value = 0,
                    .min = 0,
                    .doc = "Width of a detector bin; bins touch. 0: pixel_size.",
                    .flags = kShapes}};
  sdk::Real offset_{*this,
                    {.id = "detector_offset",
                     .unit = "length",
                     .value = 0,
                     .doc = "Distance of the detector's middle from the projection of the rotation axis.",
                     .flags = kCaches}};
  sdk::Text noise_{*this,
                   {.id = "noise",
                    .value = "gaussian",
                    .doc = "none, gaussian: white noise on y, poisson: photon counts.",
                    .choices = {"none", "gaussian", "poisson"},
                    .flags = kCaches}};
  sdk::Real sigma_{*this,
                   {.id = "noise_sigma",
                    .unit = "data units",
                    .value = 1,
                    .min = 0,
                    .doc = "Standard deviation of the gaussian noise, in the unit of y.",
                    .flags = kUnknown | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real photons_{*this,
                     {.id = "photon_count",
                      .unit = "1",
                      .value = 10000,
                      .min = 0,
                      .max = 1e12,
                      .doc = "Expected photons per bin of a line integral 0 (noise = poisson).",
                      .flags = kUnknown | UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Text lift_{*this,
                  {.id = "lift",
                   .value = "filtered_back_projection",
                   .doc = "How y becomes an image: filtered_back_projection or fourier_slice.",
                   .choices = {"filtered_back_projection", "fourier_slice"},
                   .flags = kCaches}};
  sdk::Text filter_{*this,
                    {.id = "filter",
                     .value = "ramp",
                     .doc = "Filter of the filtered back-projection.",
                     .choices = {"ramp", "shepp_logan", "hann"},
                     .flags = kCaches}};
};

}  // namespace tomography
