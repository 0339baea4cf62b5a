#include "channel_factory.hpp"

#include <ATen/Parallel.h>
#include <fmt/ranges.h>

#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/plugin_channel.hpp>

#include "built_ins.hpp"
#include "compose.hpp"
#include "least_squares_lift.hpp"
#include "plugin_tensor_channel.hpp"

namespace unchannel {

namespace {

void visit_parameters(SettingsVisitor& visitor, nlohmann::json& parameters, nlohmann::json& latents) {
  visitor.free_table({"parameters", "The channel's own parameters; `unchannel plugins info ID` lists them."}, parameters);
  visitor.free_table({"latents", "By latent: visible = true|false (the model sees it), source = \"fresh\"|\"own\"|\"data\"."}, latents);
}

}  // namespace

void ChannelStageSettings::visit(SettingsVisitor& visitor) {
  visitor.text({"id", "Built-in channel or id of a plugin's channel."}, id);
  visit_parameters(visitor, parameters, latents);
}

void ChannelSettings::visit(SettingsVisitor& visitor) {
  visitor.text({"id", "Built-in channel or id of a plugin's channel; `unchannel plugins list` shows them."}, id);
  visitor.integers(
      {"signal_shape",
       "Shape of a signal, for training on observations of another shape, as `downsample` gives; []: that of the data's rows."},
      signal_shape, 1, std::int64_t{1} << 40);
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
  visitor.choice({"lift",
                  "Which signal-shaped view of an observation the network starts from. own: the channel's (the observation itself where shapes "
                  "agree). least_squares: the signal that explains it best, for channels with mean and vjp whose latents are all visible; where a "
                  "channel weakens or turns directions over, as motion blur does."},
                 lift, {"own", "least_squares"});
  visitor.integer({"lift_iterations", "lift = \"least_squares\": steps of conjugate gradients from zero; few regularise."}, lift_iterations, 1, 10000);
  visit_parameters(visitor, parameters, latents);
  visitor.list({"stages", "With id = \"compose\": a channel that measures what the one before it gives."}, stages);
}

void ChannelSettings::read_places(const Config& file) {
  folder = file.folder();
  const auto places_of = [&](const std::string& table) {
    return ChannelPlaces{file.place_of(table + ".id"), file.place_of(table + ".parameters"), file.place_of(table + ".latents")};
  };
  places = places_of("channel");
  for (std::size_t i = 0; i < stages.size(); ++i) stages[i].places = places_of(fmt::format("channel.stages[{}]", i));
}

IsolationSettings ChannelSettings::isolation_settings() const {
  IsolationSettings result;
  result.mode = isolation_from_text(isolation);
  result.deadline_s = deadline_s;
  result.memory_limit_gib = memory_limit_gib;
  if (!failed_samples.empty()) result.failed_samples = std::filesystem::absolute(folder / failed_samples);
  return result;
}

std::vector<ChannelDescription> built_in_channels() {
  std::vector<ChannelDescription> list = described_built_ins();
  list.push_back(describe_compose());
  return list;
}

std::vector<std::string> built_in_ids() {
  std::vector<std::string> ids;
  for (const ChannelDescription& channel : built_in_channels()) ids.push_back(channel.id);
  return ids;
}

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

namespace {

ConfigError placed(const std::string& place, std::string_view text) {
  return ConfigError(place.empty() ? std::string(text) : fmt::format("{}: {}", place, text));
}

/// What `make` returns, a channel; a refusal says first where the table that it blames stands.
template <class Make>
std::unique_ptr<Channel> at_its_place(const ChannelPlaces& places, Make&& make) {
  try {
    return make();
  } catch (const ConfigError& error) {
    const std::string_view text = error.what();
    throw placed(text.starts_with("channel.latents") ? places.latents : places.parameters, text);
  }
}

/// One channel that is not composed; `settings` says how plugins run.
std::unique_ptr<Channel> make_single(const PluginRegistry& registry, const ChannelSettings& settings, const ChannelStageSettings& own,
                                     const std::vector<std::int64_t>& signal_shape) {
  auto built_in = at_its_place(own.places, [&] { return make_built_in(own.id, signal_shape, own.parameters, own.latents); });
  if (built_in) return built_in;
  try {
    registry.find(own.id, built_in_ids());  // for a message that lists the built-in ones too
  } catch (const ConfigError& error) {
    throw placed(own.places.id, error.what());
  }
  return at_its_place(own.places, [&] {
    try {
      return make_plugin_channel(registry, own.id, signal_shape, own.parameters, own.latents, settings.max_failed_share, settings.folder,
                                 settings.isolation_settings());
    } catch (const PluginStatusError& error) {
      // The plugin works; what it was given is wrong. Whether that is a parameter or the shape, only its own text says.
      if (error.status() != UNCHANNEL_BAD_ARGUMENT) throw;
      throw ConfigError(fmt::format("{} Its signals have the shape [{}]{}.", error.what(), fmt::join(signal_shape, ", "),
                                    settings.signals_from.empty() ? "" : " of the rows of " + settings.signals_from));
    }
  });
}

std::unique_ptr<Channel> make_composed(const PluginRegistry& registry, const ChannelSettings& settings,
                                       std::vector<std::int64_t> signal_shape) {
  check<ConfigError>(settings.parameters.empty() && settings.latents.empty(),
                     "channel compose: has no parameters and latents of its own. Write them into the stages, [channel.stages.parameters].");
  std::vector<std::unique_ptr<Channel>> stages;
  for (ChannelStageSettings stage : settings.stages) {
    const std::size_t number = stages.size();
    for (std::string* place : {&stage.places.id, &stage.places.parameters, &stage.places.latents}) {
      *place += fmt::format("{}channel.stages[{}]", place->empty() ? "" : ": ", number);
    }
    check<ConfigError>(!stage.id.empty(), "channel.stages[{}].id is missing; `unchannel plugins list` shows what there is.", number);
    check<ConfigError>(stage.id != "compose", "channel.stages[{}]: a stage cannot be 'compose'. Write its stages here instead.", number);
    stages.push_back(make_single(registry, settings, stage, signal_shape));
    signal_shape = stages.back()->observation_shape();
  }
  return std::make_unique<Compose>(std::move(stages));
}

std::unique_ptr<Channel> make_with_own_lift(const PluginRegistry& registry, const ChannelSettings& settings,
                                            const std::vector<std::int64_t>& signal_shape) {
  if (settings.id == "compose") return make_composed(registry, settings, signal_shape);
  check<ConfigError>(settings.stages.empty(), "channel.stages: channel {} has no stages. Set channel.id = \"compose\", or remove them.",
                     settings.id);
  return make_single(registry, settings, {settings.id, settings.parameters, settings.latents, settings.places}, signal_shape);
}

}  // namespace

std::unique_ptr<Channel> make_channel(const PluginRegistry& registry, const ChannelSettings& settings,
                                      const std::vector<std::int64_t>& signal_shape) {
  check<ConfigError>(!settings.id.empty(), "channel.id is missing; `unchannel plugins list` shows what there is.");
  std::unique_ptr<Channel> channel = make_with_own_lift(registry, settings, signal_shape);
  if (settings.lift == "own") return channel;
  return std::make_unique<LeastSquaresLift>(std::move(channel), settings.lift_iterations);
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
