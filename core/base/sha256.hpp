#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace unchannel {

/// SHA-256 of a file's content as 64 hexadecimal digits. Throws DataError when it cannot be read.
std::string sha256_file(const std::filesystem::path& path);

/// SHA-256 of `text` as 64 hexadecimal digits.
std::string sha256_text(std::string_view text);

}  // namespace unchannel
