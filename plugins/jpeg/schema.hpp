// What the jpeg channel declares: identity, parameters and the latent. The formulas are in jpeg.cpp and pixel_loops.hpp, the explanations
// in jpeg.toml.
#pragma once

#include <unchannel/channel.hpp>

namespace jpeg {

namespace sdk = unchannel::sdk;

class Schema : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{.id = "org.unchannel.jpeg",
                                                    .name = "JPEG compression",
                                                    .version = "1.0.0",
                                                    .vendor = "unchannel",
                                                    .url = "",
                                                    .licence = "Apache-2.0",
                                                    .description =
                                                        "y = decompress(compress(x; quality)) + noise_sigma * n, n ~ N(0, 1), for grey "
                                                        "images [H, W] or [1, H, W] and colour images [3, H, W] "
                                                        "(red, green, blue). value_min … value_max are the levels 0 … 255 (rounded to the "
                                                        "nearest, clipped); quality is an integer drawn for "
                                                        "each image, on the scale of libjpeg and Pillow. Baseline JPEG by libjpeg-turbo.",
                                                    .determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE,
                                                    .thread_class = UNCHANNEL_THREADS_REENTRANT};

 protected:
  sdk::Real value_min_{*this,
                       {.id = "value_min", .unit = "data units", .value = 0, .doc = "Data value of level 0 (black); below it clips."}};
  sdk::Real value_max_{*this, {.id = "value_max", .unit = "data units", .value = 1, .doc = "Data value of level 255; above it clips."}};
  sdk::Integer quality_min_{
      *this, {.id = "quality_min", .value = 10, .min = 1, .max = 100, .doc = "Lowest quality; 100 is the best, about q = 1 in [SCSI]."}};
  sdk::Integer quality_max_{
      *this,
      {.id = "quality_max", .value = 100, .min = 1, .max = 100, .doc = "Highest quality. Equal to quality_min: one quality for all."}};
  sdk::Text chroma_{*this,
                    {.id = "chroma_subsampling",
                     .value = "4:2:0",
                     .doc = "Resolution of the two colour planes: full, half in x, half in x and y. Without effect on grey images.",
                     .choices = {"4:4:4", "4:2:2", "4:2:0"}}};
  sdk::Text dct_{*this,
                 {.id = "dct_method",
                  .value = "islow",
                  .doc = "Cosine transform, both ways: accurate integers (Pillow's), fast and less accurate integers, or floating point.",
                  .choices = {"islow", "ifast", "float"}}};
  sdk::Real noise_sigma_{*this,
                         {.id = "noise_sigma",
                          .unit = "data units",
                          .value = 0.01,
                          .min = 0,
                          .max = 1e30,
                          .doc = "Standard deviation of the white Gaussian noise after decompression; y is not clipped. 0: none.",
                          .flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN}};

  sdk::Latent<int32_t> quality_{*this,
                                {.id = "quality",
                                 .prior = "uniform(quality_min, quality_max)",
                                 .doc = "Quality of this image, an integer from 1 to 100; both ends of the prior are included.",
                                 .flags = UNCHANNEL_LATENT_VISIBLE}};
};

}  // namespace jpeg
