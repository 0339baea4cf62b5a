#include "channel_factory.hpp"

#include <ATen/Parallel.h>

#include <unchannel/base/error.hpp>

#include "awgn.hpp"
#include "latent_options.hpp"
#include "plugin_tensor_channel.hpp"

namespace unchannel {

void ChannelSettings::visit(SettingsVisitor& visitor) {
  visitor.text({"id", "Built-in channel or id of a plugin's channel; `unchannel plugins list` shows them."}, id);
  visitor.choice(
      {"isolation",
       "Where the plugin runs: in this process; `auto` chooses. Running it in a process of its own is not available in this version."},
      isolation, {"auto", "inproc", "process"});
  visitor.number({"max_failed_share", "The run stops when more than this share of all samples fails in the channel.", "1"},
                 max_failed_share, 0.0, 1.0);
  visitor.free_table({"parameters", "The channel's own parameters; `unchannel plugins info ID` lists them."}, parameters);
  visitor.free_table({"latents", "By latent: visible = true|false (the model sees it), source = \"fresh\"|\"own\"|\"data\"."}, latents);
}

std::vector<ChannelDescription> built_in_channels() { return {describe_awgn()}; }

std::unique_ptr<Channel> make_plugin_channel(const PluginRegistry& registry, const std::string& id,
                                             const std::vector<std::int64_t>& signal_shape, const nlohmann::json& parameters,
                                             const nlohmann::json& latent_options, double max_failed_share,
                                             const std::filesystem::path& folder) {
  auto plugin = PluginChannel::create(registry, id);
  plugin->configure(signal_shape, parameters, folder);
  if (plugin->description().determinism == UNCHANNEL_DETERMINISM_NONE && registry.settings().log) {
    registry.settings().log(UNCHANNEL_LOG_WARNING, id, "promises no determinism: a resumed run will not repeat an uninterrupted one.");
  }
  return std::make_unique<PluginTensorChannel>(std::move(plugin), latent_options, max_failed_share);
}

std::unique_ptr<Channel> make_channel(const PluginRegistry& registry, const ChannelSettings& settings,
                                      const std::vector<std::int64_t>& signal_shape) {
  check<ConfigError>(!settings.id.empty(), "channel.id is missing; `unchannel plugins list` shows what there is.");
  check<ConfigError>(
      settings.isolation != "process",
      "channel.isolation = 'process' is not available in this version: plugins run inside the program. Use 'auto' or 'inproc'.");
  if (settings.id == "awgn") {
    apply_latent_options(settings.id, {}, {}, settings.latents);  // it has none: says so if some are named
    return make_awgn(signal_shape, settings.parameters);
  }
  registry.find(settings.id, {"awgn"});  // for a message that lists the built-in ones too
  return make_plugin_channel(registry, settings.id, signal_shape, settings.parameters, settings.latents, settings.max_failed_share,
                             settings.folder);
}

std::unique_ptr<Channel> make_channel(const ChannelSettings& settings, const std::vector<std::string>& plugin_dirs,
                                      const std::vector<std::int64_t>& signal_shape, LogSink log) {
  RegistrySettings registry;
  registry.plugin_dirs.assign(plugin_dirs.begin(), plugin_dirs.end());
  registry.threads = static_cast<std::uint32_t>(at::get_num_threads());
  registry.log = std::move(log);
  return make_channel(PluginRegistry(std::move(registry)), settings, signal_shape);
}

}  // namespace unchannel
