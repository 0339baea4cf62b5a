// Reading of untrusted JSON answers; see protocol.hpp for what they mean.
#pragma once

#include <string>
#include <string_view>

namespace umbridge {

constexpr int kMaxNesting = 16;  ///< the protocol needs 3, a model's own config may have more

/// False where brackets outside strings are nested deeper than kMaxNesting: a few megabytes of '[' would otherwise take gigabytes.
bool is_shallow(std::string_view json_text);

/// {"error": {"type": …, "message": …}}; empty where `answer` is something else. Both are excerpts.
struct ModelError {
  std::string type, message;
};
ModelError read_error(std::string_view answer);

}  // namespace umbridge
