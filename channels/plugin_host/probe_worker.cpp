#include "probe_worker.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

#include "description.hpp"
#include "elf_file.hpp"
#include "host.hpp"
#include "library.hpp"
#include "process_limits.hpp"
#include "process_state.hpp"
#include "program_manifest.hpp"
#include "program_plugin.hpp"

namespace unchannel {
namespace {

/// Standard output is ours alone: descriptor 1 is turned over to standard error before any code of the plugin runs.
class AnswerStream {
 public:
  AnswerStream() : stream_(::fdopen(::dup(STDOUT_FILENO), "w")) { ::dup2(STDERR_FILENO, STDOUT_FILENO); }
  AnswerStream(const AnswerStream&) = delete;
  AnswerStream& operator=(const AnswerStream&) = delete;
  ~AnswerStream() { std::fclose(stream_); }

  void write(const nlohmann::json& line) {
    // A plugin's texts may be no UTF-8.
    const std::string text = json_text(line) + "\n";
    std::fwrite(text.data(), 1, text.size(), stream_);
    std::fflush(stream_);
  }

 private:
  std::FILE* stream_;
};

nlohmann::json examine(const std::filesystem::path& file, const std::function<void(const std::string&)>& before) {
  const std::string problem = elf_problem(file);
  check<PluginError>(problem.empty(), "{}", problem);
  const std::vector<std::string> mapped_before = mapped_libraries();
  const unchannel_module& module = open_module(file, before);

  nlohmann::json answer = {{"good", true}};
  answer["abi"] = fmt::format("{}.{}", module.abi_major, module.abi_minor);
  const std::string own = std::filesystem::absolute(file).string();
  answer["needed"] = nlohmann::json::array();
  for (const std::string& library : mapped_libraries()) {
    const bool known = std::find(mapped_before.begin(), mapped_before.end(), library) != mapped_before.end();
    if (!known && library != own) answer["needed"].push_back(library);
  }

  const ProcessState state = ProcessState::capture();
  const Host host({.name = file.filename().string(), .library = file});
  answer["channels"] = nlohmann::json::array();
  for (const ChannelDescription& channel : describe_module(module, host.abi(), before)) answer["channels"].push_back(to_json(channel));
  const std::string changed = state.difference(ProcessState::capture());
  check<PluginError>(changed.empty(), "changes the process when it is initialised: {}. A plugin must leave them alone.", changed);
  return answer;
}

}  // namespace

int probe_in_this_process(const std::filesystem::path& file) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a parent that dies takes a hanging probe with it
  forbid_core_files();
  limit_private_memory(half_of_memory_bytes());
  try {
    if (is_program_plugin(file) && !is_program_manifest(file)) probe_program(file);  // which has its own words on the standard output
  } catch (const PluginError& error) {
    AnswerStream().write({{"good", false}, {"reason", error.what()}});
    return 0;
  }
  AnswerStream answer;
  try {
    if (is_program_manifest(file)) {
      answer.write({{"stage", "the conversation with the program"}});
      answer.write(interview_program(file));
      return 0;
    }
    answer.write(examine(file, [&answer](const std::string& stage) { answer.write({{"stage", stage}}); }));
  } catch (const std::exception& error) {
    answer.write({{"good", false}, {"reason", error.what()}});
  }
  std::fflush(nullptr);
  return 0;
}

}  // namespace unchannel
