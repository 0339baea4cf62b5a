#pragma once

#include <filesystem>
#include <string>

namespace unchannel::conformance {

struct CheckReport;

/// Where the outcome for a file with this content is remembered: $XDG_CACHE_HOME (or ~/.cache)/unchannel/checked/<sha256>.json. Empty when
/// neither variable is set.
std::filesystem::path pass_record_file(const std::string& sha256);

/// Remembers, atomically, {"file_sha256", "sha256" (the same), "unchannel_version", "passed", "checked_at", "untested", "needed"}: a pass
/// when the report is complete and nothing failed, and a failure of whatever was run, so that it voids an earlier pass. A part that passed
/// is not remembered. A cache that cannot be written is no error.
void record_outcome(const CheckReport& report);

}  // namespace unchannel::conformance
