#include "new_project.hpp"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/probe.hpp>

#include "plugin_name.hpp"
#include "templates.hpp"

namespace unchannel {
namespace {

namespace fs = std::filesystem;

/// A private folder beside the target, so that one rename moves what was made in it. Removed with what is left in it.
class StagingFolder {
 public:
  explicit StagingFolder(const fs::path& target) {
    const fs::path parent = target.has_parent_path() ? target.parent_path() : fs::path(".");
    std::string pattern = (parent / (".unchannel-new-XXXXXX")).string();
    const char* made = ::mkdtemp(pattern.data());
    check<DataError>(made != nullptr, "{}: cannot be made: {}. Check that {} exists and is writable.", target.string(),
                     std::strerror(errno), parent.string());
    path_ = pattern;
  }
  StagingFolder(const StagingFolder&) = delete;
  StagingFolder& operator=(const StagingFolder&) = delete;
  ~StagingFolder() {
    std::error_code ignored;  // a destructor has nobody to tell
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

void check_folder_is_free(const fs::path& folder) {
  std::error_code error;
  const fs::file_status status = fs::symlink_status(folder, error);
  if (status.type() == fs::file_type::not_found) return;
  check<DataError>(status.type() == fs::file_type::directory && fs::is_empty(folder, error) && !error,
                   "{}: is not an empty folder, and nothing is ever overwritten. Choose another --dir, or move it away.", folder.string());
}

void write_files(const std::vector<TemplateFile>& files, const fs::path& folder) {
  fs::create_directory(folder);
  for (const TemplateFile& file : files) {
    const fs::path target = folder / file.path;
    fs::create_directories(target.parent_path());
    write_file_atomically(target, file.text);
    if (file.executable)
      fs::permissions(target, fs::perms::owner_exec | fs::perms::group_exec | fs::perms::others_exec, fs::perm_options::add);
  }
}

/// `text` as one word of a shell command.
std::string quoted(const std::string& text) {
  constexpr const char* kPlain = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
  if (!text.empty() && text.find_first_not_of(kPlain) == std::string::npos) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::string next_steps(const NewProject& project) {
  const std::string folder = quoted(project.folder.string()), build = quoted((project.folder / "build").string());
  for (const fs::path& file : project.files) {
    if (file != "CMakeLists.txt") continue;
    const std::string prefix = quoted(executable_folder().parent_path().string());
    return fmt::format("cmake -S {} -B {} -DCMAKE_PREFIX_PATH={}\ncmake --build {}\nctest --test-dir {} --output-on-failure\n", folder,
                       build, prefix, build, build);
  }
  return fmt::format("cat {}\n", quoted((project.folder / "README.md").string()));
}

}  // namespace

NewProject write_new_project(const NewProjectRequest& request) {
  check_plugin_name(request.name);
  NewProject project;
  project.folder = request.folder.empty() ? fs::path(request.name) : request.folder;
  if (!project.folder.has_filename()) project.folder = project.folder.parent_path();  // "a/" is "a"
  const auto files = filled_template(find_templates(request.templates), request.language, request.name);
  check_folder_is_free(project.folder);
  try {
    const StagingFolder staging(project.folder);
    write_files(files, staging / "project");
    // rename() replaces an empty folder and refuses any other, so that what appeared meanwhile survives.
    const int status = std::rename((staging / "project").c_str(), project.folder.c_str());
    check<DataError>(status == 0, "{}: cannot be made: {}.", project.folder.string(), std::strerror(errno));
  } catch (const fs::filesystem_error& error) {
    throw DataError(fmt::format("{}: cannot be written: {}.", project.folder.string(), error.code().message()));
  }
  for (const TemplateFile& file : files) project.files.push_back(file.path);
  project.next_steps = next_steps(project);
  return project;
}

}  // namespace unchannel
