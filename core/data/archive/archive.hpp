#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

namespace unchannel {

/// Entries of a zip file (npz, wheel): name to unpacked bytes.
using ArchiveEntries = std::map<std::string, std::string>;

/// Unpacks the regular files whose name `wanted` accepts, into memory. The sum of unpacked bytes is limited by `limit_bytes`, and what
/// is not wanted is skipped unread, so a decompression bomb ends with a message. Throws DataError: missing, no zip file, damaged,
/// larger than the limit.
ArchiveEntries read_archive(const std::filesystem::path& path, const std::function<bool(const std::string&)>& wanted,
                            std::uint64_t limit_bytes);

/// The same for an archive in memory (one inside another); `place` names it in messages.
ArchiveEntries read_archive_bytes(std::string_view bytes, const std::string& place, const std::function<bool(const std::string&)>& wanted,
                                  std::uint64_t limit_bytes);

}  // namespace unchannel
