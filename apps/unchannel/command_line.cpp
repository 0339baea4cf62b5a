#include "command_line.hpp"

#include <algorithm>
#include <vector>

#include <fmt/core.h>

#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

std::vector<std::string> option_names(const CLI::App& command) {
  std::vector<std::string> names;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace

void check_command_words(const CLI::App& program, int argc, const char* const* argv) {
  const CLI::App* command = &program;
  std::string path;  // "import sdss"; main() says the program's name before every message
  for (int i = 1; i < argc && command->get_require_subcommand_min() > 0; ++i) {
    const std::string word = argv[i];
    const bool is_option = word.starts_with('-');
    if (is_option && command->get_option_no_throw(word.substr(0, word.find('='))) != nullptr) return;
    const CLI::App* next = nullptr;
    std::vector<std::string> known = is_option ? option_names(*command) : std::vector<std::string>();
    for (const CLI::App* candidate : command->get_subcommands([](const CLI::App*) { return true; })) {
      if (!is_option) known.push_back(candidate->get_name());
      if (candidate->get_name() == word) next = candidate;
    }
    check<ConfigError>(next != nullptr, "{}'{}' is not a known {}.{} `unchannel {}--help` lists them.", path.empty() ? "" : path + ": ",
                       word, is_option ? "option" : "command", did_you_mean(word, known), path.empty() ? "" : path + " ");
    command = next;
    path += (path.empty() ? "" : " ") + word;
  }
}

std::string unexpected_words(const CLI::App& program) {
  const CLI::App* command = &program;
  std::string path;
  while (!command->get_subcommands().empty()) {
    command = command->get_subcommands().front();
    path += (path.empty() ? "" : " ") + command->get_name();
  }
  // An option is to blame before what follows it, which may be its value.
  const std::vector<std::string> words = program.remaining(true);
  const auto option = std::find_if(words.begin(), words.end(), [](const std::string& word) { return word.starts_with('-'); });
  if (option == words.end()) {
    return fmt::format("{}: '{}' is one word too many. `unchannel {} --help` shows what is expected.", path,
                       words.empty() ? "" : words.front(), path);
  }
  const std::string name = option->substr(0, option->find('='));
  return fmt::format("{}: '{}' is not a known option.{} `unchannel {} --help` lists them.", path, name,
                     did_you_mean(name, option_names(*command)), path);
}

}  // namespace unchannel
