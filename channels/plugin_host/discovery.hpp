#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace unchannel {

/// A folder in which plugins are looked for, and why.
struct PluginFolder {
  std::filesystem::path path;
  std::string origin;  ///< "--plugin-dir", "UNCHANNEL_PLUGIN_PATH", "user", "installed", "build"
  bool exists = false;
};

/// Folders in order of precedence: `named` (--plugin-dir), UNCHANNEL_PLUGIN_PATH (separated by colons), ~/.local/share/unchannel/plugins,
/// <program>/../lib/unchannel/plugins and, for a build tree, <program>/../plugins. Each once. Throws ConfigError when a named one does not
/// exist.
std::vector<PluginFolder> plugin_folders(const std::vector<std::filesystem::path>& named);

/// The files *.so, *.channel.toml and *.py (but _*.py) in the folder, by name. Folders that cannot be read have none; `problem` then says why.
std::vector<std::filesystem::path> plugin_files_in(const std::filesystem::path& folder, std::string& problem);

}  // namespace unchannel
