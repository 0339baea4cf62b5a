#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_project/new_project.hpp>
#include <unchannel/plugin_project/templates.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

/// "c, c++" for the help text; a broken installation is reported when the command runs, not when help is asked for.
std::string languages() {
  try {
    std::string text;
    for (const std::string& language : template_languages(find_templates())) text += (text.empty() ? "" : ", ") + language;
    return text;
  } catch (const Error&) {
    return "none: the templates are missing";
  }
}

void write(const NewProjectRequest& request) {
  const NewProject project = write_new_project(request);
  fmt::print("{}: a channel in {}\n", project.folder.string(), request.language);
  for (const std::filesystem::path& file : project.files) fmt::print("  {}\n", file.string());
  fmt::print("\nNext:\n{}", project.next_steps);
}

}  // namespace

void add_plugins_new_command(CLI::App& plugins) {
  auto request = std::make_shared<NewProjectRequest>();
  CLI::App* command = plugins.add_subcommand("new", "write the project of a new plugin: builds, passes the checks, under 150 lines");
  command->add_option("name", request->name, "1 to 40 of a-z, 0-9 and _, a letter first")->required();
  command->add_option("--language", request->language, "one of: " + languages())->required();
  command->add_option("--dir", request->folder, "folder to write, absent or empty (default: ./NAME)");
  command->footer("Example: unchannel plugins new my_instrument --language c++\nExit codes: 0 ok, 2 usage, 4 the folder is not free");
  command->callback([request] { write(*request); });
}

}  // namespace unchannel
