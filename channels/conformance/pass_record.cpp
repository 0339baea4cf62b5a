#include "pass_record.hpp"

#include <cstdlib>
#include <ctime>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/sha256.hpp>

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

std::filesystem::path pass_record_file(const std::string& sha256) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if ((!cache || !*cache) && (!home || !*home)) return {};
  const std::filesystem::path root = cache && *cache ? std::filesystem::path(cache) : std::filesystem::path(home) / ".cache";
  return root / "unchannel" / "checked" / (sha256 + ".json");
}

void record_outcome(const CheckReport& report) {
  const bool passed = report.passed();
  if (passed && !report.complete) return;
  const std::filesystem::path file = pass_record_file(report.sha256);
  if (file.empty()) return;
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
    const nlohmann::json record = {{"file_sha256", report.sha256},
                                   {"sha256", report.sha256},
                                   {"unchannel_version", UNCHANNEL_VERSION},
                                   {"passed", passed},
                                   {"checked_at", now_utc()},
                                   {"untested", untested},
                                   {"needed", needed}};
    write_file_atomically(file, record.dump(2) + "\n");
  } catch (const std::exception&) {  // a full disk, a read-only home
    return;
  }
}

}  // namespace unchannel::conformance
