#include "check_runner.hpp"

#include <algorithm>
#include <chrono>
#include <map>
#include <string_view>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/plugin_host/program_plugin.hpp>
#include <unchannel/plugin_host/subprocess.hpp>

#include "child_answer.hpp"
#include "pass_record.hpp"
#include "program_module.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kGrace_s = 15;  // the child ends itself at the limit and says where it was

CheckOutcome run_one(const CheckInfo& info, const std::string& worker, const CheckRequest& request, const std::string& channel) {
  const char* const exempt = is_program_plugin(request.file) ? why_not_for_programs(info.id) : nullptr;
  if (exempt) return {&info, info.per_channel ? channel : "", {Verdict::skip, exempt}, 0};
  std::vector<std::string> arguments = {worker, "--check", info.id, request.file.string()};
  CheckRequest of_channel = request;
  of_channel.channel = channel;
  append_request(arguments, of_channel);
  CheckOutcome outcome;
  outcome.info = &info;
  outcome.channel = info.per_channel ? channel : "";
  const auto begin = std::chrono::steady_clock::now();
  const SubprocessResult child = run_subprocess(arguments, info.time_limit_s + kGrace_s);
  outcome.elapsed_s = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  outcome.answer = read_child_answer(child, info.time_limit_s);
  return outcome;
}

/// Those of the file and the two that read what is declared ask nothing of a configured channel.
bool configures(const CheckInfo& info) {
  const std::string_view id = info.id;
  return info.per_channel && id != "descriptor" && id != "parameter-schema";
}

/// A channel whose server does not answer is not waited for in every check.
CheckOutcome not_run(const CheckInfo& info, const std::string& channel, const std::string& reason) {
  CheckOutcome outcome;
  outcome.info = &info;
  outcome.channel = channel;
  outcome.answer = {Verdict::untested, "not run, as an earlier check found: " + reason, nlohmann::json::object()};
  return outcome;
}

/// What is to be checked. A file that cannot even be described gets one nameless channel: its checks say what is wrong.
void examine(const CheckRequest& request, const ProbeSettings& probe, CheckReport& report) {
  const ProbeResult found = probe_library(request.file, probe);
  std::vector<std::string> ids;
  for (const ChannelDescription& channel : found.channels) ids.push_back(channel.id);
  report.needed = found.needed;
  report.complete = request.channel.empty() || (ids.size() == 1 && ids[0] == request.channel);
  if (!request.channel.empty()) ids = {request.channel};
  report.channels = ids.empty() ? std::vector<std::string>{""} : ids;
}

bool wanted(const CheckSettings& settings, const CheckInfo& info) {
  return settings.only.empty() || std::find(settings.only.begin(), settings.only.end(), info.id) != settings.only.end();
}

}  // namespace

int CheckReport::count(Verdict verdict) const {
  return static_cast<int>(
      std::count_if(outcomes.begin(), outcomes.end(), [verdict](const auto& o) { return o.answer.verdict == verdict; }));
}

bool CheckReport::passed() const { return count(Verdict::fail) == 0 && count(Verdict::pass) > 0; }

CheckReport check_file(const CheckSettings& settings) {
  for (const std::string& id : settings.only) find_check(id);
  CheckRequest request = settings.request;
  read_check_config(request);  // a wrong file is the user's mistake, not the plugin's
  const std::string worker = find_worker(settings.probe).string();
  CheckReport report;
  report.file = request.file;
  report.sha256 = sha256_file(request.file);
  examine(request, settings.probe, report);
  report.complete = report.complete && settings.only.empty();
  // A record lets a library into the program's own process, where a program never runs.
  const bool record = settings.record && !is_program_plugin(request.file);
  std::map<std::string, std::string> unavailable;  // why a channel cannot be configured now
  for (const CheckInfo& info : all_checks()) {
    if (!wanted(settings, info)) continue;
    const std::size_t runs = info.per_channel ? report.channels.size() : 1;
    for (std::size_t i = 0; i < runs; ++i) {
      const auto known = unavailable.find(report.channels[i]);
      if (known != unavailable.end() && configures(info)) {
        report.outcomes.push_back(not_run(info, report.channels[i], known->second));
      } else {
        report.outcomes.push_back(run_one(info, worker, request, report.channels[i]));
        const CheckAnswer& answer = report.outcomes.back().answer;
        if (answer.detail.is_object() && answer.detail.contains(kUnavailable)) unavailable[report.channels[i]] = answer.reason;
      }
      if (settings.progress) settings.progress(report.outcomes.back());
      if (!settings.stop_at_failure || report.outcomes.back().answer.verdict != Verdict::fail) continue;
      report.complete = false;
      if (record) record_outcome(report);
      return report;
    }
  }
  if (record) record_outcome(report);
  return report;
}

}  // namespace unchannel::conformance
