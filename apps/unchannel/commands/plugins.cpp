#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/plugin_host/registry.hpp>
#include <unchannel/tensor/channel_factory.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

struct PluginsArguments {
  std::vector<std::string> folders;
  std::string target;
  bool json = false;
};

PluginRegistry open_registry(const PluginsArguments& arguments) {
  RegistrySettings settings;
  settings.plugin_dirs.assign(arguments.folders.begin(), arguments.folders.end());
  return PluginRegistry(std::move(settings));
}

nlohmann::json to_json(const ProbeResult& probe) {
  nlohmann::json json = {{"file", probe.file.string()}, {"sha256", probe.sha256}, {"good", probe.good}};
  if (!probe.good) json["reason"] = probe.reason;
  if (probe.good) json["abi"] = probe.abi;
  json["warnings"] = probe.warnings;
  json["channels"] = nlohmann::json::array();
  for (const ChannelDescription& channel : probe.channels) json["channels"].push_back(to_json(channel));
  return json;
}

void print_json(const nlohmann::json& json) { fmt::print("{}\n", json_text(json, 2)); }

nlohmann::json listing_json(const PluginRegistry& registry) {
  nlohmann::json json = {
      {"folders", nlohmann::json::array()}, {"libraries", nlohmann::json::array()}, {"built_in", nlohmann::json::array()}};
  for (const PluginFolder& folder : registry.folders()) {
    json["folders"].push_back({{"path", folder.path.string()}, {"origin", folder.origin}, {"exists", folder.exists}});
  }
  for (const LibraryRecord& library : registry.libraries()) {
    nlohmann::json entry = to_json(library.probe);
    entry["origin"] = library.origin;
    entry["shadowed"] = library.shadowed;
    json["libraries"].push_back(entry);
  }
  for (const ChannelDescription& channel : built_in_channels()) json["built_in"].push_back(to_json(channel));
  json["problems"] = registry.problems();
  return json;
}

void print_channel_line(const ChannelDescription& channel, const std::string& where) {
  fmt::print("  {:<34} {:<9} {}{}\n", channel.id, channel.version, channel.name, where);
}

void list(const PluginsArguments& arguments) {
  const PluginRegistry registry = open_registry(arguments);
  if (arguments.json) return print_json(listing_json(registry));
  fmt::print("Built in\n");
  for (const ChannelDescription& channel : built_in_channels()) print_channel_line(channel, "");
  std::size_t failed = 0;
  for (const PluginFolder& folder : registry.folders()) {
    fmt::print("{} ({}{})\n", folder.path.string(), folder.origin, folder.exists ? "" : ", not there");
    for (const LibraryRecord& library : registry.libraries()) {
      const ProbeResult& probe = library.probe;
      if (probe.file.parent_path() != folder.path) continue;
      const std::string file = probe.file.filename().string();
      if (!probe.good) ++failed;
      for (const ChannelDescription& channel : probe.channels) {
        const bool shadowed = std::find(library.shadowed.begin(), library.shadowed.end(), channel.id) != library.shadowed.end();
        print_channel_line(channel, fmt::format(" ({}{})", file, shadowed ? "; not used: an earlier folder has it" : ""));
      }
      for (const std::string& warning : probe.warnings) fmt::print("  warning: {}: {}\n", file, warning);
      if (!probe.good) fmt::print("  failed: {}: {}\n", file, probe.reason);
    }
  }
  for (const std::string& problem : registry.problems()) fmt::print("  failed: {}\n", problem);
  if (failed > 0) fmt::print("{} {} failed to load; the reasons are above.\n", failed, failed == 1 ? "library" : "libraries");
}

std::string join(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
  return text.empty() ? "none" : text;
}

std::string default_text(const ParameterDescription& parameter) {
  if (parameter.required()) return "required";
  if (parameter.default_value.is_number_float()) return fmt::format("default {}", parameter.default_value.get<double>());
  return "default " + parameter.default_value.dump();
}

void print_channel(const ChannelDescription& channel) {
  fmt::print("{} {}: {}\n", channel.id, channel.version, channel.name);
  if (!channel.description.empty()) fmt::print("{}\n", channel.description);
  if (!channel.vendor.empty() || !channel.licence.empty()) fmt::print("from {}, licence {}\n", channel.vendor, channel.licence);
  if (!channel.url.empty()) fmt::print("{}\n", channel.url);
  fmt::print("capabilities: {}\ndeterminism: {}; threads: {}\n\nparameters ([channel.parameters])\n", join(channel.capabilities),
             determinism_name(channel.determinism), thread_class_name(channel.thread_class));
  for (const ParameterDescription& parameter : channel.parameters) {
    const std::string range = parameter.range_text();
    fmt::print("  {} [{}] {}; {}{}\n      {}\n", parameter.id, parameter.unit.empty() ? "-" : parameter.unit,
               parameter_type_name(parameter.type), default_text(parameter), range.empty() ? "" : "; " + range, parameter.doc);
  }
  if (channel.parameters.empty()) fmt::print("  none\n");
  fmt::print("\nlatents ([channel.latents.NAME])\n");
  for (const LatentDescription& latent : channel.latents) {
    fmt::print("  {} [{}] {}; {}; {}{}\n      {}\n", latent.id, latent.unit.empty() ? "-" : latent.unit, latent_type_name(latent.dtype),
               latent.data_only() ? "comes with the observations" : "prior " + latent.prior, latent.visible() ? "visible" : "hidden",
               latent.depends_on_signal() ? "; depends on the signal" : "", latent.doc);
  }
  if (channel.latents.empty()) fmt::print("  none\n");
}

void print_probe(const ProbeResult& probe) {
  fmt::print("{}\nSHA-256 {}, plugin interface {}\n", probe.file.string(), probe.sha256, probe.abi);
  for (const std::string& warning : probe.warnings) fmt::print("warning: {}\n", warning);
  for (const ChannelDescription& channel : probe.channels) {
    fmt::print("\n");
    print_channel(channel);
  }
}

void info(const PluginsArguments& arguments) {
  for (const ChannelDescription& channel : built_in_channels()) {
    if (channel.id != arguments.target) continue;
    return arguments.json ? print_json(to_json(channel)) : print_channel(channel);
  }
  ProbeResult probe;
  const bool is_file = arguments.target.find('/') != std::string::npos || arguments.target.ends_with(".so") ||
                       arguments.target.ends_with(".py") || arguments.target.ends_with(".channel.toml");
  if (is_file) {
    probe = probe_library(arguments.target);
  } else {
    const PluginRegistry registry = open_registry(arguments);
    const auto found = registry.find(arguments.target, built_in_ids());
    probe = found.library->probe;
    probe.channels = {*found.channel};
  }
  if (arguments.json) print_json(to_json(probe));
  check<PluginError>(probe.good, "{}: {}", probe.file.string(), probe.reason);
  if (!arguments.json) print_probe(probe);
}

void add_common(CLI::App& command, const std::shared_ptr<PluginsArguments>& arguments) {
  command.add_option("--plugin-dir", arguments->folders, "folder with plugins, before the usual ones (repeatable)")
      ->allow_extra_args(false);
  command.add_flag("--json", arguments->json, "print JSON");
}

}  // namespace

void add_plugins_command(CLI::App& app) {
  auto arguments = std::make_shared<PluginsArguments>();
  CLI::App* plugins = app.add_subcommand("plugins", "list, describe, check and begin instrument plugins");
  plugins->require_subcommand(1);
  plugins->footer(
      "Folders: --plugin-dir, UNCHANNEL_PLUGIN_PATH (colons between), ~/.local/share/unchannel/plugins, the installed one\n"
      "Example: unchannel plugins info org.unchannel.spectrograph\nExit codes: 0 ok, 2 usage, 3 the plugin is bad");
  CLI::App* list_command = plugins->add_subcommand("list", "every channel found, and every library that failed to load with the reason");
  add_common(*list_command, arguments);
  list_command->callback([arguments] { list(*arguments); });
  CLI::App* info_command =
      plugins->add_subcommand("info", "parameters with units and ranges, latents, capabilities of one channel or file");
  info_command->add_option("target", arguments->target, "id of a channel, or a plugin file")->required();
  add_common(*info_command, arguments);
  info_command->callback([arguments] { info(*arguments); });
  add_plugins_check_commands(*plugins);
  add_plugins_new_command(*plugins);
}

}  // namespace unchannel
