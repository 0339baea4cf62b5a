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
       "Where a plugin runs: in a process of its own, which may crash or hang without harm, or in this one; `auto`: in this one when "
       "`unchannel plugins check` has passed that very file, else in its own."},
      isolation, {"auto", "inproc", "process"});
  visitor.number({"deadline_s", "A plugin's own process is killed and the batch repeated when one batch takes longer.", "s"}, deadline_s,
                 0.1, 1e6);
  visitor.number({"memory_limit_gib", "Private memory of a plugin's own process; 0: half of the machine's.", "GiB"}, memory_limit_gib, 0.0,
                 1e6);
  visitor.text({"failed_samples", "Folder for calls that killed a plugin's own process twice; empty: ~/.cache/unchannel/failed-samples."},
               failed_samples);
  visitor.number({"max_failed_share", "The run stops when more than this share of all samples fails in the channel.", "1"},
                 max_failed_share, 0.0, 1.0);
  visitor.free_table({"parameters", "The channel's own parameters; `unchannel plugins info ID` lists them."}, parameters);
  visitor.free_table({"latents", "By latent: visible = true|false (the model sees it), source = \"fresh\"|\"own\"|\"data\"."}, latents);
}

IsolationSettings ChannelSettings::isolation_settings() const {
  IsolationSettings result;
  result.mode = isolation_from_text(isolation);
  result.deadline_s = deadline_s;
  result.memory_limit_gib = memory_limit_gib;
  if (!failed_samples.empty()) result.failed_samples = std::filesystem::absolute(folder / failed_samples);
  return result;
}

std::vector<ChannelDescription> built_in_channels() { return {describe_awgn()}; }

std::unique_ptr<Channel> make_plugin_channel(const PluginRegistry& registry, const std::string& id,
                                             const std::vector<std::int64_t>& signal_shape, const nlohmann::json& parameters,
                                             const nlohmann::json& latent_options, double max_failed_share,
                                             const std::filesystem::path& folder, const IsolationSettings& isolation) {
  auto plugin = open_plugin(registry, id, isolation);
  plugin->configure(signal_shape, parameters, folder);
  if (plugin->description().determinism == UNCHANNEL_DETERMINISM_NONE && registry.settings().log) {
    registry.settings().log(UNCHANNEL_LOG_WARNING, id, "promises no determinism: a resumed run will not repeat an uninterrupted one.");
  }
  return std::make_unique<PluginTensorChannel>(std::move(plugin), latent_options, max_failed_share);
}

std::unique_ptr<Channel> make_channel(const PluginRegistry& registry, const ChannelSettings& settings,
                                      const std::vector<std::int64_t>& signal_shape) {
  check<ConfigError>(!settings.id.empty(), "channel.id is missing; `unchannel plugins list` shows what there is.");
  if (settings.id == "awgn") {
    apply_latent_options(settings.id, {}, {}, settings.latents);  // it has none: says so if some are named
    return make_awgn(signal_shape, settings.parameters);
  }
  registry.find(settings.id, {"awgn"});  // for a message that lists the built-in ones too
  return make_plugin_channel(registry, settings.id, signal_shape, settings.parameters, settings.latents, settings.max_failed_share,
                             settings.folder, settings.isolation_settings());
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
