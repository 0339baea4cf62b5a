#include "describe.hpp"

#include <cmath>
#include <limits>

#include "padding.hpp"

namespace unchannel {

ChannelDescription describe_built_in(const std::string& id, const std::string& name, const std::string& description) {
  ChannelDescription channel;
  channel.id = id;
  channel.name = name;
  channel.version = "1.0.0";
  channel.description = description;
  channel.determinism = UNCHANNEL_DETERMINISM_PER_SAMPLE;
  channel.thread_class = UNCHANNEL_THREADS_REENTRANT;
  return channel;
}

namespace {

ParameterDescription parameter(const std::string& id, const std::string& unit, const std::string& doc, std::int32_t type,
                               std::uint32_t flags, nlohmann::json value) {
  ParameterDescription result;
  result.id = id;
  result.unit = unit;
  result.doc = doc;
  result.type = type;
  result.flags = flags;
  result.default_value = std::move(value);
  return result;
}

}  // namespace

void add_real(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc, double value, double min,
              double max, std::uint32_t flags) {
  if (std::isinf(max)) flags |= UNCHANNEL_PARAMETER_MAX_EXCLUSIVE;
  ParameterDescription result = parameter(id, unit, doc, UNCHANNEL_TYPE_F64, flags, value);
  result.min_f64 = min;
  result.max_f64 = max;
  channel.parameters.push_back(std::move(result));
}

void add_integer(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc, std::int64_t value,
                 std::int64_t min, std::int64_t max, std::uint32_t flags) {
  ParameterDescription result = parameter(id, unit, doc, UNCHANNEL_TYPE_I64, flags, value);
  result.min_i64 = min;
  result.max_i64 = max;
  channel.parameters.push_back(std::move(result));
}

void add_choice(ChannelDescription& channel, const std::string& id, const std::string& doc, const std::string& value,
                const std::vector<std::string>& choices) {
  ParameterDescription result = parameter(id, "", doc, UNCHANNEL_TYPE_ENUM, 0, value);
  result.choices = choices;
  channel.parameters.push_back(std::move(result));
}

void add_noise_sigma(ChannelDescription& channel, double value) {
  add_real(channel, "noise_sigma", "data units", "Standard deviation of the Gaussian noise.", value, 0,
           std::numeric_limits<double>::infinity(), UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN);
}

void add_boundary(ChannelDescription& channel, const std::string& value) {
  add_choice(channel, "boundary",
             "Beyond the border of a b c d: mirror (d c b | a b c d | c b a), reflect (c b a | a b c d | d c b), periodic, zero.", value,
             boundary_names());
}

void add_latent(ChannelDescription& channel, const std::string& id, const std::string& unit, const std::string& doc,
                const std::string& prior, std::int32_t dtype) {
  LatentDescription latent;
  latent.id = id;
  latent.unit = unit;
  latent.doc = doc;
  latent.prior = prior;
  latent.dtype = dtype;
  latent.flags = UNCHANNEL_LATENT_VISIBLE;
  channel.latents.push_back(std::move(latent));
}

}  // namespace unchannel
