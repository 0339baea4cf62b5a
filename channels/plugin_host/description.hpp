#pragma once

#include <unchannel/channel.h>

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unchannel {

/// One parameter of a channel, copied out of the library. `type` and `flags` are UNCHANNEL_TYPE_* and UNCHANNEL_PARAMETER_*.
struct ParameterDescription {
  std::string id;
  std::string unit;
  std::string doc;
  std::int32_t type = 0;
  std::uint32_t flags = 0;
  nlohmann::json default_value{};  ///< null when the parameter is required
  double min_f64 = 0, max_f64 = 0;
  std::int64_t min_i64 = 0, max_i64 = 0;
  std::vector<std::string> choices{};

  bool required() const { return (flags & UNCHANNEL_PARAMETER_REQUIRED) != 0; }
  /// "(0, 1]", "≥ 3", "'a' · 'b'"; empty when everything of the type is allowed.
  std::string range_text() const;
};

/// One latent of a channel. `dtype` and `flags` are UNCHANNEL_LATENT_*.
struct LatentDescription {
  std::string id;
  std::string unit;
  std::string doc;
  std::string prior;
  std::string count_of;
  std::int32_t dtype = UNCHANNEL_LATENT_F32;
  std::uint32_t flags = 0;

  bool visible() const { return (flags & UNCHANNEL_LATENT_VISIBLE) != 0; }
  bool depends_on_signal() const { return (flags & UNCHANNEL_LATENT_DEPENDS_ON_X) != 0; }
  bool data_only() const { return (flags & UNCHANNEL_LATENT_DATA_ONLY) != 0; }
};

/// What a library says about one of its channels.
struct ChannelDescription {
  std::string id, name, version, vendor, url, licence, description;
  std::int32_t determinism = UNCHANNEL_DETERMINISM_NONE;
  std::int32_t thread_class = UNCHANNEL_THREADS_INSTANCE_SERIAL;
  std::vector<ParameterDescription> parameters;
  std::vector<LatentDescription> latents;
  std::vector<std::string> capabilities;  ///< ids of the extensions it can offer at best, e.g. "mean/1"
};

const char* parameter_type_name(std::int32_t type);  ///< "f64", "i64", "bool", "enum", "string", "path"
const char* latent_type_name(std::int32_t dtype);    ///< "float32", "int32", "int64"
const char* determinism_name(std::int32_t determinism);
const char* thread_class_name(std::int32_t thread_class);

/// Refuses a module of another interface version. Throws PluginError saying both versions.
void check_abi_version(const unchannel_module& module);

/// Reads the schema of an instance. Throws PluginError when it breaks the rules of channel.h (no id, unknown type, default out of range…).
std::vector<ParameterDescription> read_parameters(const unchannel_core_1& core, void* instance);
std::vector<LatentDescription> read_latents(const unchannel_core_1& core, void* instance);

/// Descriptor, schema and capabilities of every channel. Calls init, creates and destroys one instance of each and calls shutdown.
/// `before` is told the name of each function before it is called. Throws PluginError.
std::vector<ChannelDescription> describe_module(const unchannel_module& module, const unchannel_host& host,
                                                const std::function<void(const std::string&)>& before);

/// The descriptor alone. Throws PluginError when there is none with this index or it is incomplete.
ChannelDescription read_descriptor(const unchannel_module& module, std::uint32_t index);

/// The core table of a channel. Throws PluginError when it is missing or has empty entries.
const unchannel_core_1& core_table(const unchannel_module& module, std::uint32_t index);

nlohmann::json to_json(const ChannelDescription& channel);
/// Inverse of to_json. Throws nlohmann::json::exception when it is something else.
ChannelDescription channel_description_from_json(const nlohmann::json& json);

}  // namespace unchannel
