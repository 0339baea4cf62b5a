#include "check_runner.hpp"

#include <algorithm>
#include <chrono>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/plugin_host/program_plugin.hpp>
#include <unchannel/plugin_host/subprocess.hpp>

#include "child_answer.hpp"
#include "pass_record.hpp"

namespace unchannel::conformance {
namespace {

constexpr double kGrace_s = 15;  // the child ends itself at the limit and says where it was

CheckOutcome run_one(const CheckInfo& info, const std::string& worker, const CheckRequest& request, const std::string& channel) {
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
  check<ConfigError>(!is_program_plugin(request.file),
                     "{}: is no library; this command examines compiled plugins. `unchannel plugins info` examines the file, and it "
                     "always runs in a process of its own.",
                     request.file.string());
  read_check_config(request);  // a wrong file is the user's mistake, not the plugin's
  const std::string worker = find_worker(settings.probe).string();
  CheckReport report;
  report.file = request.file;
  report.sha256 = sha256_file(request.file);
  examine(request, settings.probe, report);
  report.complete = report.complete && settings.only.empty();
  for (const CheckInfo& info : all_checks()) {
    if (!wanted(settings, info)) continue;
    const std::size_t runs = info.per_channel ? report.channels.size() : 1;
    for (std::size_t i = 0; i < runs; ++i) {
      report.outcomes.push_back(run_one(info, worker, request, report.channels[i]));
      if (settings.progress) settings.progress(report.outcomes.back());
      if (!settings.stop_at_failure || report.outcomes.back().answer.verdict != Verdict::fail) continue;
      report.complete = false;
      if (settings.record) record_outcome(report);
      return report;
    }
  }
  if (settings.record) record_outcome(report);
  return report;
}

}  // namespace unchannel::conformance
