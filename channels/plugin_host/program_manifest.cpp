#include "program_manifest.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>

#include "description.hpp"
#include "failed_call.hpp"
#include "program_plugin.hpp"
#include "row_program.hpp"
#include "worker_process.hpp"

namespace unchannel {
namespace {

constexpr double kInterviewDeadline_s = 15;  // below the time limit of a probe, so that the reason is told

/// The answer's header. Throws PluginError with the program's own words when it is an error.
nlohmann::json answer_to(WorkerProcess& program, const nlohmann::json& question, const char* expected) {
  const nlohmann::json answer = program.exchange(question.at("type"), question.dump(), {}, kInterviewDeadline_s, 0).header;
  const auto text_of = [&](const char* key) {
    const auto found = answer.find(key);
    return found != answer.end() && found->is_string() ? found->get<std::string>() : std::string();
  };
  check<PluginError>(text_of("type") == expected, "answers {} with '{}': {}", question.at("type").get<std::string>(),
                     text_of("type").substr(0, 64), text_of("message").empty() ? "it gives no reason." : text_of("message"));
  return answer;
}

}  // namespace

bool is_program_manifest(const std::filesystem::path& file) { return file.filename().string().ends_with(".channel.toml"); }

std::string program_on_path(const std::string& name) {
  const char* variable = std::getenv("PATH");
  const std::string list = variable ? variable : "";
  for (std::size_t begin = 0; begin <= list.size();) {
    const std::size_t end = std::min(list.find(':', begin), list.size());
    const auto file = std::filesystem::path(list.substr(begin, end - begin)) / name;
    std::error_code error;
    if (file.is_absolute() && std::filesystem::is_regular_file(file, error) && ::access(file.c_str(), X_OK) == 0) return file.string();
    begin = end + 1;
  }
  return {};
}

ProgramManifest read_manifest(const std::filesystem::path& file) {
  const Config config = Config::read(file);
  nlohmann::json program = nlohmann::json::object();
  ProgramManifest manifest;
  config.fill([&](SettingsVisitor& v) {
    v.free_table({"program", "a program that speaks the worker protocol, or reads and writes rows"}, program);
    v.free_table({"channel", "with `rows`: what the program does not say about itself"}, manifest.channel);
  });
  manifest.place = config.place_of("program.command");
  const auto listed = program.find("command");
  const auto rows = program.find("rows");
  const bool good = program.size() == (rows == program.end() ? 1U : 2U) && listed != program.end() && listed->is_array() &&
                    !listed->empty() && std::all_of(listed->begin(), listed->end(), [](const auto& word) { return word.is_string(); });
  check<ConfigError>(good, "{}: must have a table [program] with `command`, a list of strings, and nothing else but `rows`.",
                     manifest.place);
  if (rows != program.end()) manifest.rows = rows->is_string() ? rows->get<std::string>() : rows->dump();
  check<ConfigError>(manifest.rows.empty() || manifest.rows == "text" || manifest.rows == "float32",
                     "{}: must be 'float32' or 'text'; it is '{}'.", config.place_of("program.rows"), manifest.rows);
  check<ConfigError>(rows != program.end() || manifest.channel.is_null(),
                     "{}: a program without `rows` speaks the worker protocol and describes itself; remove [channel].",
                     config.place_of("channel"));
  check<ConfigError>(rows == program.end() || manifest.channel.is_object(), "{}: with `rows` there must be a table [channel] with `id`.",
                     config.place_of("program.rows"));
  manifest.command = listed->get<std::vector<std::string>>();
  const auto folder = std::filesystem::absolute(file).parent_path();
  for (std::string& word : manifest.command) {
    if (word.starts_with("./") || word.starts_with("../")) word = (folder / word).lexically_normal().string();
  }
  return manifest;
}

std::vector<std::string> startable_command(const ProgramManifest& manifest) {
  std::vector<std::string> command = manifest.command;
  const std::string named = command[0];
  if (named.find('/') == std::string::npos) command[0] = program_on_path(named);
  check<PluginError>(!command[0].empty() && ::access(command[0].c_str(), X_OK) == 0,
                     "{}: the program {} cannot be found or may not be executed (chmod +x).", manifest.place, named);
  return command;
}

std::vector<std::string> manifest_command(const std::filesystem::path& file) { return startable_command(read_manifest(file)); }

nlohmann::json interview_program(const std::filesystem::path& file) {
  const std::vector<std::string> command = manifest_command(file);
  if (is_row_program(file)) read_row_program(file);  // what is wrong with the manifest is told without a detour
  // Through --serve: the program ends with this process, whatever it does.
  WorkerProcess program({std::filesystem::read_symlink("/proc/self/exe"), "--serve", file.string(), "--end-with-host"}, {});
  const nlohmann::json hello = answer_to(program, hello_message(0), "hello");
  nlohmann::json answer = {{"good", true}, {"abi", fmt::format("protocol {}", kProtocolVersion)}, {"needed", nlohmann::json::array()}};
  answer["channels"] = nlohmann::json::array();
  try {
    check<PluginError>(hello.value("protocol", 0) == kProtocolVersion, "speaks version {} of the worker protocol, this program version {}.",
                       hello.value("protocol", 0), kProtocolVersion);
    const nlohmann::json description = answer_to(program, {{"type", "describe"}}, "description");
    for (const auto& listed : description.at("channels")) {
      const ChannelDescription channel = channel_description_from_json(listed);
      check_description(channel);
      answer["channels"].push_back(to_json(channel));
    }
  } catch (const nlohmann::json::exception& error) {
    throw PluginError(fmt::format("its description is not that of docs/reference/worker_protocol.md: {}", error.what()));
  }
  check<PluginError>(!answer["channels"].empty(), "describes no channel.");
  for (const std::string& word : command) {
    std::error_code error;
    if (word.find('/') != std::string::npos && std::filesystem::is_regular_file(word, error)) answer["needed"].push_back(word);
  }
  return answer;
}

}  // namespace unchannel
