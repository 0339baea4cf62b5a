#include "pass_record.hpp"

#include <ctime>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/plugin_host/check_record.hpp>

#include "check_runner.hpp"

namespace unchannel::conformance {
namespace {

std::string now_utc() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

}  // namespace

void record_outcome(const CheckReport& report) {
  const bool passed = report.passed();
  if (passed && !report.complete) return;
  if (user_cache_folder().empty()) return;
  const std::filesystem::path file = check_record_file(report.sha256);
  nlohmann::json untested = nlohmann::json::array();
  for (const CheckOutcome& outcome : report.outcomes) {
    if (outcome.answer.verdict == Verdict::untested) untested.push_back(outcome.info->id);
  }
  nlohmann::json needed = nlohmann::json::object();
  for (const auto& [library, sha256] : report.needed) needed[library] = sha256;
  try {
    // The file may have been replaced while it was checked: then nothing is known about the new one.
    if (sha256_file(report.file) != report.sha256) return;
    std::filesystem::create_directories(file.parent_path());
    const nlohmann::json record = {{"sha256", report.sha256},
                                   {"unchannel_version", UNCHANNEL_VERSION},
                                   {"passed", passed},
                                   {"checked_at", now_utc()},
                                   {"untested", untested},
                                   {"needed", needed}};
    write_file_atomically(file, json_text(record, 2) + "\n");
  } catch (const std::exception&) {  // a full disk, a read-only home
    return;
  }
}

}  // namespace unchannel::conformance
