#pragma once

#include <filesystem>
#include <string>

namespace unchannel::conformance {

struct CheckReport;

/// Where the pass of a file with this content is remembered: $XDG_CACHE_HOME (or ~/.cache)/unchannel/checked/<sha256>.json, an object
/// {"file_sha256", "unchannel_version", "passed", "checked_at", "untested", "needed"}. Empty when neither variable is set.
std::filesystem::path pass_record_file(const std::string& sha256);

/// Remembers that the file passed, atomically. A cache that cannot be written is no error: the pass is just not remembered.
void record_pass(const CheckReport& report);

/// True when a file with this content passed under this version, and the libraries that it brought along are still what they were.
bool has_passed(const std::string& sha256);

}  // namespace unchannel::conformance
