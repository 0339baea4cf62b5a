#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace unchannel {

/// The user's cache folder of this program: $XDG_CACHE_HOME/unchannel or ~/.cache/unchannel; empty when neither variable is set.
std::filesystem::path user_cache_folder();

/// <user cache folder>/checked/<sha256>.json: what `unchannel plugins check` found out about the file with this content. A JSON object with
/// at least {"sha256": …, "passed": true|false}.
std::filesystem::path check_record_file(const std::string& content_sha256);

/// Paths and SHA-256 of the libraries that came with a plugin (ProbeResult::needed), in any order.
using NeededLibraries = std::vector<std::pair<std::string, std::string>>;

/// Whether a file with this content has passed `unchannel plugins check` together with these very libraries: one that was replaced, added
/// or is found elsewhere now has not been checked. A record that is missing, unreadable, about another content or writable by others is no
/// record.
bool has_passed_check(const std::string& content_sha256, const NeededLibraries& needed);

}  // namespace unchannel
