#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace unchannel {

struct NewProjectRequest {
  std::string name;                   ///< see check_plugin_name
  std::string language;               ///< a folder of the templates
  std::filesystem::path folder{};     ///< of the project; empty: ./<name>. Must not exist or be empty.
  std::filesystem::path templates{};  ///< empty: find_templates()
};

struct NewProject {
  std::filesystem::path folder;
  std::vector<std::filesystem::path> files;  ///< relative to it, sorted
  std::string next_steps;                    ///< the commands to go on with, one a line
};

/// Writes the project. It appears whole (a folder beside it is filled and renamed) or not at all. Throws ConfigError for a bad name or
/// language, DataError when the folder holds something or cannot be written.
NewProject write_new_project(const NewProjectRequest& request);

}  // namespace unchannel
