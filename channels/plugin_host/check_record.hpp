#pragma once

#include <filesystem>
#include <string>

namespace unchannel {

/// The user's cache folder of this program: $XDG_CACHE_HOME/unchannel or ~/.cache/unchannel; empty when neither variable is set.
std::filesystem::path user_cache_folder();

/// <user cache folder>/checked/<sha256>.json: what `unchannel plugins check` found out about the file with this content. A JSON object with
/// at least {"sha256": …, "passed": true|false}.
std::filesystem::path check_record_file(const std::string& content_sha256);

/// Whether a file with this content has passed `unchannel plugins check`. A record that is missing, unreadable, about another content or
/// writable by others is no record.
bool has_passed_check(const std::string& content_sha256);

}  // namespace unchannel
