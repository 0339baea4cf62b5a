#include "built_ins.hpp"

#include <array>
#include <unchannel/plugin_host/parameters.hpp>

namespace unchannel {
namespace {

struct Entry {
  ChannelDescription (*describe)();
  std::unique_ptr<Channel> (*make)(BuiltInSetup);
};

constexpr std::array<Entry, 10> kEntries = {{{describe_awgn, make_awgn},
                                             {describe_random_mask, make_random_mask},
                                             {describe_block_mask, make_block_mask},
                                             {describe_gaussian_blur, make_gaussian_blur},
                                             {describe_motion_blur, make_motion_blur},
                                             {describe_poisson, make_poisson},
                                             {describe_poisson_additive, make_poisson_additive},
                                             {describe_downsample, make_downsample},
                                             {describe_quantise, make_quantise},
                                             {describe_noise, make_noise}}};

}  // namespace

std::vector<ChannelDescription> described_built_ins() {
  std::vector<ChannelDescription> list;
  for (const Entry& entry : kEntries) list.push_back(entry.describe());
  return list;
}

std::unique_ptr<Channel> make_built_in(const std::string& id, const std::vector<std::int64_t>& signal_shape,
                                       const nlohmann::json& parameters, const nlohmann::json& latent_options) {
  for (const Entry& entry : kEntries) {
    BuiltInSetup setup{entry.describe(), signal_shape, nlohmann::json::object(), latent_options};
    if (setup.description.id != id) continue;
    // No built-in takes a path, so the folder of the configuration is not needed.
    const std::vector<nlohmann::json> values = resolve_parameters(id, setup.description.parameters, parameters, ".");
    for (std::size_t i = 0; i < values.size(); ++i) setup.parameters[setup.description.parameters[i].id] = values[i];
    return entry.make(std::move(setup));
  }
  return nullptr;
}

}  // namespace unchannel
