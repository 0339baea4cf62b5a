#include "check_worker.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <unchannel/plugin_host/process_limits.hpp>

#include "check_report.hpp"
#include "check_runner.hpp"
#include "check_table.hpp"
#include "fuzz.hpp"
#include "step.hpp"
#include "verdict.hpp"

namespace unchannel::conformance {
namespace {

CheckAnswer run_check(const CheckInfo& info, const CheckRequest& request) {
  CheckAnswer answer;
  try {
    info.run(request, answer.detail);
    answer.verdict = Verdict::pass;
  } catch (const CheckSkipped& skipped) {
    answer.verdict = Verdict::skip;
    answer.reason = skipped.what();
  } catch (const CheckUntested& untested) {
    answer.verdict = Verdict::untested;
    answer.reason = untested.what();
  } catch (const CheckUnavailable& unavailable) {
    answer.verdict = Verdict::fail;
    answer.reason = unavailable.what();
    answer.detail[kUnavailable] = true;
  } catch (const std::exception& error) {
    answer.verdict = Verdict::fail;
    answer.reason = error.what();
  }
  return answer;
}

void prepare_process() {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a parent that dies takes a hanging check with it
  forbid_core_files();
  limit_private_memory(half_of_memory_bytes());
}

int usage(const std::string& problem) {
  std::fputs((problem + "\n").c_str(), stderr);
  return 2;
}

}  // namespace

int check_in_this_process(const std::string& id, CheckRequest request) {
  prepare_process();
  const CheckInfo* info = nullptr;
  try {
    info = &find_check(id);
    read_check_config(request);
  } catch (const Error& error) {
    return usage(error.what());
  }
  open_answer(info->time_limit_s);
  const CheckAnswer answer = run_check(*info, request);
  write_answer({{"verdict", verdict_name(answer.verdict)}, {"reason", answer.reason}, {"detail", answer.detail}});
  std::fflush(nullptr);
  return 0;
}

int digest_in_this_process(CheckRequest request) {
  prepare_process();
  try {
    read_check_config(request);
    open_answer(60);
    write_answer({{"digests", result_digests(request)}});
    return 0;
  } catch (const std::exception& error) {
    return usage(error.what());
  }
}

int run_worker_check(const std::vector<std::string>& arguments) {
  const auto option = [&](const char* name) -> std::string {
    const auto at = std::find(arguments.begin(), arguments.end(), name);
    return at == arguments.end() || at + 1 == arguments.end() ? "" : *(at + 1);
  };
  const std::size_t leading = !arguments.empty() && (arguments[0] == "--check" || arguments[0] == "--fuzz") ? 3 : 2;
  if (arguments.size() < leading || (arguments.size() - leading) % 2 != 0) return usage("unchannel-worker: wrong number of arguments.");
  CheckRequest request;
  request.file = arguments[leading - 1];
  request.channel = option("--channel");
  request.config = option("--config");
  if (arguments[0] == "--check") return check_in_this_process(arguments[1], std::move(request));
  if (arguments[0] == "--fuzz") {
    prepare_process();
    return fuzz_in_this_process(std::strtoull(arguments[1].c_str(), nullptr, 10), std::move(request));
  }
  if (arguments[0] == "--digest") return digest_in_this_process(std::move(request));
  try {
    const CheckReport report = check_file({.request = std::move(request)});
    std::fputs(report_table(report).c_str(), stdout);
    if (const std::string file = option("--json"); !file.empty()) write_report(report, file);
    return report.passed() ? 0 : 3;
  } catch (const Error& error) {
    std::fputs(fmt::format("unchannel-worker: {}\n", error.what()).c_str(), stderr);
    return error.exit_code();
  }
}

}  // namespace unchannel::conformance
