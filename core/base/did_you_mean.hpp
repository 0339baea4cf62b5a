#pragma once

#include <span>
#include <string>
#include <string_view>

namespace unchannel {

/// Returns " Did you mean 'x'?" for the known word nearest to `word` (edit distance ≤ 1 + length/3), or an empty string.
std::string did_you_mean(std::string_view word, std::span<const std::string> known);

}  // namespace unchannel
