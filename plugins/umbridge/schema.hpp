// What the UM-Bridge client declares: identity and parameters. umbridge.toml explains them at length.
#pragma once

#include <unchannel/channel.hpp>

namespace umbridge {

namespace sdk = unchannel::sdk;

class Schema : public sdk::Channel {
 public:
  static constexpr unchannel_descriptor kDescriptor{
      .id = "org.unchannel.umbridge",
      .name = "UM-Bridge client",
      .version = "1.0.0",
      .vendor = "unchannel",
      .url = "https://um-bridge-benchmarks.readthedocs.io",
      .licence = "Apache-2.0",
      .description =
          "y = F(x) + noise_sigma n, n ~ N(0, 1): F is a model that a UM-Bridge server (protocol 1.0, HTTP) evaluates. The elements of x "
          "in C order are the model's input vectors one after the other, y its output vectors one after the other. Units are the model's. "
          "Seelinger et al., UM-Bridge: Uncertainty quantification and modeling bridge, JOSS 8(83), 4748 (2023).",
      .determinism = UNCHANNEL_DETERMINISM_NONE,  // what a server does is beyond our knowledge
      .thread_class = UNCHANNEL_THREADS_INSTANCE_SERIAL};

 protected:
  sdk::Text url_{*this,
                 {.id = "url",
                  .value = "http://localhost:4242",
                  .doc = "Address of the model server: http://host:port[/path].",
                  .flags = UNCHANNEL_PARAMETER_CHANGES_SHAPES}};
  sdk::Text model_{*this,
                   {.id = "model",
                    .value = "forward",
                    .doc = "Name of the model; a server may offer several.",
                    .flags = UNCHANNEL_PARAMETER_CHANGES_SHAPES}};
  sdk::Text config_{*this,
                    {.id = "config",
                     .value = "{}",
                     .doc = "Options of the model, one JSON object; sent with every request.",
                     .flags = UNCHANNEL_PARAMETER_CHANGES_SHAPES}};
  sdk::Real noise_sigma_{*this,
                         {.id = "noise_sigma",
                          .unit = "unit of y",
                          .value = 0,
                          .min = 0,
                          .doc = "Standard deviation of the white Gaussian noise added to the model's output; 0: none.",
                          .flags = UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN}};
  sdk::Text lift_{*this,
                  {.id = "lift",
                   .value = "none",
                   .doc = "From y back to the shape of x. none: only where both have the same size. pad: y followed by zeros. gradient: "
                          "lift_scale J(0)^T y through the server's /Gradient.",
                   .choices = {"none", "pad", "gradient"}}};
  sdk::Real lift_scale_{*this,
                        {.id = "lift_scale",
                         .unit = "unit of x^2 / unit of y^2",
                         .value = 1,
                         .min = 0,
                         .doc = "Factor of lift = \"gradient\".",
                         .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Integer connections_{*this,
                            {.id = "connections",
                             .value = 1,
                             .min = 1,
                             .max = 256,
                             .doc = "Requests that may be under way at the same time; above 1 for servers that evaluate in parallel."}};
  sdk::Real connect_timeout_{*this,
                             {.id = "connect_timeout_s",
                              .unit = "s",
                              .value = 5,
                              .min = 0,
                              .max = 3600,
                              .doc = "How long to try to reach the server, also one that is restarting.",
                              .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Real call_timeout_{*this,
                          {.id = "call_timeout_s",
                           .unit = "s",
                           .value = 60,
                           .min = 0,
                           .max = 604800,
                           .doc = "Deadline of one request, the wait in the server's own queue included.",
                           .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE}};
  sdk::Integer max_response_bytes_{*this,
                                   {.id = "max_response_bytes",
                                    .unit = "byte",
                                    .value = 67108864,
                                    .min = 1024,
                                    .max = 1099511627776,
                                    .doc = "A longer answer is refused while it arrives; a number takes up to 25 bytes."}};
};

}  // namespace umbridge
