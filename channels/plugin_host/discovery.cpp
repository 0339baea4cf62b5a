#include "discovery.hpp"

#include <algorithm>
#include <cstdlib>
#include <unchannel/base/error.hpp>

#include "probe.hpp"
#include "program_plugin.hpp"

namespace unchannel {
namespace {

std::filesystem::path user_folder() {
  const char* data = std::getenv("XDG_DATA_HOME");
  if (data && *data) return std::filesystem::path(data) / "unchannel" / "plugins";
  const char* home = std::getenv("HOME");
  return home && *home ? std::filesystem::path(home) / ".local/share/unchannel/plugins" : std::filesystem::path();
}

}  // namespace

std::vector<PluginFolder> plugin_folders(const std::vector<std::filesystem::path>& named) {
  std::vector<PluginFolder> folders;
  const auto add = [&folders](const std::filesystem::path& path, const char* origin) {
    if (path.empty()) return;
    std::error_code error;
    const std::filesystem::path full = std::filesystem::weakly_canonical(path, error);
    const auto same = [&](const PluginFolder& folder) { return folder.path == full; };
    if (std::none_of(folders.begin(), folders.end(), same)) folders.push_back({full, origin, std::filesystem::is_directory(full, error)});
  };
  for (const auto& path : named) {
    std::error_code error;
    check<ConfigError>(std::filesystem::is_directory(path, error),
                       "--plugin-dir {}: is no folder. Name the folder that holds the plugin files.", path.string());
    add(path, "--plugin-dir");
  }
  const char* variable = std::getenv("UNCHANNEL_PLUGIN_PATH");
  const std::string list = variable ? variable : "";
  for (std::size_t begin = 0; begin < list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    add(list.substr(begin, end - begin), "UNCHANNEL_PLUGIN_PATH");
    begin = end + 1;
  }
  add(user_folder(), "user");
  const std::filesystem::path program = executable_folder();
  add(program / "../lib/unchannel/plugins", "installed");
  add(program / "../plugins", "build");
  return folders;
}

std::vector<std::filesystem::path> plugin_files_in(const std::filesystem::path& folder, std::string& problem) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::filesystem::path& file = entry->path();
    if (file.extension() == ".so" || (is_program_plugin(file) && !is_helper_file(file))) files.push_back(file);
  }
  if (error) problem = fmt::format("cannot be read: {}.", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace unchannel
