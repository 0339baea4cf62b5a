#include "probe.hpp"

#include <unistd.h>

#include <cstdlib>
#include <map>
#include <mutex>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

#include "child_process.hpp"
#include "program_plugin.hpp"
#include "subprocess.hpp"

namespace unchannel {
namespace {

struct Answer {
  std::string stage;                   // last step that was begun
  std::optional<nlohmann::json> body;  // the final line
};

Answer read_answer(const std::string& out) {
  Answer answer;
  std::size_t begin = 0;
  for (auto end = out.find('\n'); end != std::string::npos; end = out.find('\n', begin)) {
    auto line = nlohmann::json::parse(out.begin() + static_cast<std::ptrdiff_t>(begin), out.begin() + static_cast<std::ptrdiff_t>(end),
                                      nullptr, false);
    begin = end + 1;
    if (!line.is_object()) continue;
    if (line.contains("stage")) answer.stage = line["stage"].get<std::string>();
    if (line.contains("good")) answer.body = std::move(line);
  }
  return answer;
}

std::string silent_death(const SubprocessResult& child, const Answer& answer, double time_limit_s) {
  const std::string place = answer.stage.empty() ? "before it was loaded" : "in " + answer.stage;
  if (child.timed_out) return fmt::format("does not finish: stopped after {} s {}.", time_limit_s, place);
  if (child.signal != 0) return fmt::format("crashes {}: {}.", place, child.ending());
  return fmt::format("ends the process {} with {}, without an answer.", place, child.ending());
}

void fill(ProbeResult& result, const SubprocessResult& child, double time_limit_s) {
  const Answer answer = read_answer(child.out);
  const std::string said = last_words(child.err);
  if (!answer.body || child.timed_out) {
    result.reason = silent_death(child, answer, time_limit_s);
  } else if (!answer.body->at("good").get<bool>()) {
    result.reason = answer.body->at("reason").get<std::string>();
  } else if (child.signal != 0 || child.exit_code != 0) {
    result.reason = fmt::format("crashes when the process ends (its destructors): {}.", child.ending());
  }
  if (!result.reason.empty()) {
    if (!said.empty()) result.reason += fmt::format(" It printed: {}", said);
    return;
  }
  result.good = true;
  answer.body->at("abi").get_to(result.abi);
  for (const auto& channel : answer.body->at("channels")) result.channels.push_back(channel_description_from_json(channel));
  if (is_program_plugin(result.file)) {  // nobody has looked at what it says about itself
    for (const ChannelDescription& channel : result.channels) check_description(channel);
  }
  for (const auto& library : answer.body->at("needed")) {
    const std::string name = library.get<std::string>();
    std::error_code error;  // the vDSO and the like have names but no files
    if (std::filesystem::is_regular_file(name, error)) result.needed.emplace_back(name, sha256_file(name));
  }
  if (!said.empty()) result.warnings.push_back("prints while it is loaded or asked: " + said);
}

ProbeResult probe_now(const std::filesystem::path& file, const std::string& sha256, const ProbeSettings& settings) {
  ProbeResult result;
  result.file = file;
  result.sha256 = sha256;
  const SubprocessResult child = run_subprocess({find_worker(settings).string(), "--probe", file.string()}, settings.time_limit_s);
  try {
    fill(result, child, settings.time_limit_s);
  } catch (const nlohmann::json::exception& error) {
    result.good = false;
    result.reason = fmt::format("the worker's answer is not understood ({}); it belongs to another version of this program.", error.what());
  } catch (const Error& error) {
    result.good = false;
    result.reason = error.what();
  }
  return result;
}

}  // namespace

std::filesystem::path executable_folder() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path();
}

std::filesystem::path find_worker(const ProbeSettings& settings) {
  std::filesystem::path worker = settings.worker;
  const char* named = std::getenv("UNCHANNEL_WORKER");
  if (worker.empty() && named && *named) worker = named;
  if (worker.empty()) worker = executable_folder() / "unchannel-worker";
  check<PluginError>(::access(worker.c_str(), X_OK) == 0,
                     "{}: the worker that examines plugins is missing. Install it beside the program, or set UNCHANNEL_WORKER.",
                     worker.string());
  return worker;
}

ProbeResult probe_library(const std::filesystem::path& file, const ProbeSettings& settings) {
  static std::mutex mutex;
  static std::map<std::pair<std::string, std::string>, ProbeResult> known;  // (path, content)
  std::error_code error;
  ProbeResult failed;
  failed.file = file;
  if (!std::filesystem::is_regular_file(file, error)) {
    failed.reason = std::filesystem::exists(file, error) ? "is no regular file." : "does not exist.";
    return failed;
  }
  std::string sha256;
  try {
    sha256 = sha256_file(file);
  } catch (const DataError& unreadable) {
    failed.reason = unreadable.what();
    return failed;
  }
  const auto key = std::make_pair(std::filesystem::weakly_canonical(file).string(), sha256);
  {
    const std::lock_guard lock(mutex);
    const auto found = known.find(key);
    if (found != known.end()) {
      ProbeResult result = found->second;
      result.file = file;
      return result;
    }
  }
  ProbeResult result = probe_now(file, sha256, settings);
  const std::lock_guard lock(mutex);
  return known.insert_or_assign(key, std::move(result)).first->second;
}

}  // namespace unchannel
