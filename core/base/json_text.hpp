#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace unchannel {

/// JSON as text, indented by `indent` blanks (-1: one line). Paths, headers of files and options need not be UTF-8, which JSON is: every
/// byte that is not becomes U+FFFD, where `dump()` alone would throw and end the whole command.
std::string json_text(const nlohmann::json& json, int indent = -1);

}  // namespace unchannel
