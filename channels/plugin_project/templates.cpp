#include "templates.hpp"

#include <algorithm>
#include <cstdlib>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/probe.hpp>

namespace unchannel {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestFile = std::size_t{1} << 20;

std::string joined(const std::vector<std::string>& list) {
  std::string text;
  for (const std::string& item : list) text += (text.empty() ? "" : ", ") + item;
  return text;
}

std::string replaced(std::string text, const std::string& token, const std::string& value) {
  for (std::size_t at = text.find(token); at != std::string::npos; at = text.find(token, at + value.size())) {
    text.replace(at, token.size(), value);
  }
  return text;
}

fs::path renamed(const fs::path& path, const std::string& name) {
  const std::string file = path.filename().string();
  return file.starts_with("NAME") ? path.parent_path() / (name + file.substr(4)) : path;
}

}  // namespace

fs::path find_templates(const fs::path& named) {
  fs::path folder = named;
  const char* variable = std::getenv("UNCHANNEL_TEMPLATE_PATH");
  if (folder.empty() && variable && *variable) folder = variable;
  if (folder.empty()) folder = (executable_folder() / "../share/unchannel/template").lexically_normal();
  std::error_code error;
  check<DataError>(fs::is_directory(folder, error),
                   "{}: the templates of plugin projects are missing. Install them beside the program (cmake --install), or set "
                   "UNCHANNEL_TEMPLATE_PATH to the folder plugin-api/template of the source tree.",
                   folder.string());
  return folder;
}

std::vector<std::string> template_languages(const fs::path& templates) {
  std::vector<std::string> languages;
  std::error_code error;
  for (fs::directory_iterator entry(templates, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (entry->is_directory(unreadable)) languages.push_back(entry->path().filename().string());
  }
  check<DataError>(!error, "{}: cannot be read: {}.", templates.string(), error.message());
  check<DataError>(!languages.empty(), "{}: holds no templates, one folder a language. Install unchannel again.", templates.string());
  std::sort(languages.begin(), languages.end());
  return languages;
}

std::vector<TemplateFile> filled_template(const fs::path& templates, const std::string& language, const std::string& name) {
  const std::vector<std::string> languages = template_languages(templates);
  check<ConfigError>(std::find(languages.begin(), languages.end(), language) != languages.end(),
                     "plugins new --language {}: must be one of: {}.", language, joined(languages));
  const fs::path root = templates / language;
  std::vector<TemplateFile> files;
  std::error_code error;
  for (fs::recursive_directory_iterator entry(root, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code unreadable;
    if (entry->is_directory(unreadable)) continue;
    check<DataError>(entry->is_regular_file(unreadable), "{}: a template holds regular files only.", entry->path().string());
    const bool executable = (entry->status(unreadable).permissions() & fs::perms::owner_exec) != fs::perms::none;
    files.push_back({renamed(entry->path().lexically_relative(root), name),
                     replaced(read_file(entry->path(), kLargestFile), "@NAME@", name), executable});
  }
  check<DataError>(!error && !files.empty(), "{}: cannot be read{}{}.", root.string(), error ? ": " : " or is empty",
                   error ? error.message() : "");
  std::sort(files.begin(), files.end(), [](const TemplateFile& a, const TemplateFile& b) { return a.path < b.path; });
  return files;
}

}  // namespace unchannel
