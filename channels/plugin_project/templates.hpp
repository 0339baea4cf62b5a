#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace unchannel {

/// Where this program's templates are: `named`, else UNCHANNEL_TEMPLATE_PATH, else <program>/../share/unchannel/template (installation and
/// build tree alike). Throws DataError saying where it looked.
std::filesystem::path find_templates(const std::filesystem::path& named = {});

/// Names of the folders in it, sorted: the languages a plugin can be begun in. Throws DataError when there is none.
std::vector<std::string> template_languages(const std::filesystem::path& templates);

/// One file of a template, as it will lie in the new project.
struct TemplateFile {
  std::filesystem::path path;  ///< relative to the project
  std::string text;
  bool executable = false;
};

/// The template of `language` with the plugin's name filled in: `@NAME@` in texts, `NAME` at the beginning of file names. Sorted by path.
/// Throws ConfigError for an unknown language, DataError for what is no regular file of at most 1 MiB.
std::vector<TemplateFile> filled_template(const std::filesystem::path& templates, const std::string& language, const std::string& name);

}  // namespace unchannel
