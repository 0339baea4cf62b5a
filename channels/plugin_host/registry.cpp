#include "registry.hpp"

#include <algorithm>
#include <set>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

namespace unchannel {

PluginRegistry::PluginRegistry(RegistrySettings settings)
    : settings_(std::move(settings)), pool_(std::make_shared<ThreadPool>(settings_.threads)) {}

void PluginRegistry::scan() const {
  std::call_once(scanned_, [this] {
    folders_ = plugin_folders(settings_.plugin_dirs);
    if (!settings_.default_folders) std::erase_if(folders_, [](const PluginFolder& folder) { return folder.origin != "--plugin-dir"; });
    std::set<std::string> offered;
    for (const PluginFolder& folder : folders_) {
      if (!folder.exists) continue;
      std::string problem;
      for (const auto& file : plugin_files_in(folder.path, problem)) {
        LibraryRecord record{probe_library(file, settings_.probe), folder.origin, {}};
        for (const ChannelDescription& channel : record.probe.channels) {
          if (!offered.insert(channel.id).second) record.shadowed.push_back(channel.id);
        }
        libraries_.push_back(std::move(record));
      }
      if (!problem.empty()) problems_.push_back(fmt::format("{}: {}", folder.path.string(), problem));
    }
  });
}

const std::vector<PluginFolder>& PluginRegistry::folders() const {
  scan();
  return folders_;
}

const std::vector<LibraryRecord>& PluginRegistry::libraries() const {
  scan();
  return libraries_;
}

const std::vector<std::string>& PluginRegistry::problems() const {
  scan();
  return problems_;
}

void PluginRegistry::check_unchanged(const ProbeResult& probe) {
  for (const auto& [file, sha256] : probe.needed) {
    check<PluginError>(sha256_file(file) == sha256, "{}: its library {} has changed since it was probed.", probe.file.string(), file);
  }
}

PluginRegistry::Found PluginRegistry::find(const std::string& id, const std::vector<std::string>& also_known) const {
  std::vector<std::string> known = also_known;
  std::string failures;
  for (const LibraryRecord& library : libraries()) {
    if (!library.probe.good) failures += fmt::format("\n  {} failed to load: {}", library.probe.file.string(), library.probe.reason);
    for (const ChannelDescription& channel : library.probe.channels) {
      if (channel.id == id) return {&library, &channel};
      known.push_back(channel.id);
    }
  }
  std::string list;
  for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
  throw ConfigError(fmt::format(
      "channel.id = '{}' is no known channel.{} Known: {}. Put its library into a plugin folder or name one with --plugin-dir.{}", id,
      did_you_mean(id, known), list.empty() ? "none" : list, failures));
}

}  // namespace unchannel
