#include "url.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <unchannel/sdk/error.hpp>

namespace umbridge {
namespace {

using unchannel::sdk::bad_argument;

bool is_plain(char c) { return c > ' ' && c < 0x7F; }

std::string_view take_port(std::string_view digits, const std::string& url) {
  int port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (error != std::errc() || end != digits.data() + digits.size() || port < 1 || port > 65535) {
    throw bad_argument("url = \"", url, "\" must have a port from 1 to 65535 after the host, as in http://localhost:4242.");
  }
  return digits;
}

}  // namespace

Url parse_url(const std::string& text) {
  constexpr std::string_view kScheme = "http://";
  std::string_view rest = text;
  // Spaces and line breaks would end up in the request's head.
  if (!std::ranges::all_of(rest, is_plain)) {
    throw bad_argument("url must hold printable ASCII without spaces, as in http://localhost:4242.");
  }
  if (rest.starts_with("https://")) {
    throw bad_argument("url = \"", text, "\" asks for TLS, which this client lacks: put a local proxy or an ssh tunnel in between.");
  }
  if (!rest.starts_with(kScheme)) {
    throw bad_argument("url = \"", text, "\" must start with http://, as in http://localhost:4242.");
  }
  rest.remove_prefix(kScheme.size());
  const size_t slash = std::min(rest.find('/'), rest.size());
  std::string_view authority = rest.substr(0, slash), path = rest.substr(slash);
  while (path.ends_with('/')) {
    path.remove_suffix(1);
  }
  if (rest.find_first_of("?#@") != std::string_view::npos) {
    throw bad_argument("url = \"", text, "\" must have no user, query or fragment: http://host:port/path.");
  }
  Url url{.host = {}, .port = "80", .path = std::string(path)};
  size_t host_end = authority.find(':');
  if (authority.starts_with('[')) {
    host_end = authority.find(']');
    if (host_end == std::string_view::npos) {
      throw bad_argument("url = \"", text, "\" must close the bracket of its IPv6 address, as in http://[::1]:4242.");
    }
    url.host = authority.substr(1, host_end - 1);
    ++host_end;
  } else {
    url.host = authority.substr(0, host_end);
  }
  if (host_end < authority.size()) {
    if (authority[host_end] != ':') {
      throw bad_argument("url = \"", text, "\" must have a colon between host and port, as in http://[::1]:4242.");
    }
    url.port = take_port(authority.substr(host_end + 1), text);
  }
  if (url.host.empty()) {
    throw bad_argument("url = \"", text, "\" must name a host, as in http://localhost:4242.");
  }
  return url;
}

std::string Url::host_header() const { return (host.find(':') == std::string::npos ? host : "[" + host + "]") + ":" + port; }

std::string Url::text() const { return "http://" + host_header() + path; }

}  // namespace umbridge
