#pragma once

#include <string>

namespace umbridge {

/// Where a model server listens. `path` has no trailing slash: "" or "/models/tsunami".
struct Url {
  std::string host;  ///< without the brackets of an IPv6 address
  std::string port;
  std::string path;
  [[nodiscard]] std::string host_header() const;
  [[nodiscard]] std::string text() const;  ///< to be shown in messages
};

/// "http://host[:port][/path]"; port 80 when none is given. Throws bad_argument with the rule that is broken.
Url parse_url(const std::string& text);

}  // namespace umbridge
