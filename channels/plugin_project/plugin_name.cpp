#include "plugin_name.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <unchannel/base/error.hpp>

namespace unchannel {
namespace {

constexpr std::size_t kLongest = 40;

// Targets that CMake's generators make themselves.
constexpr std::array<std::string_view, 10> kReserved = {"all",  "clean",   "edit_cache",     "help",          "install",
                                                        "list", "package", "package_source", "rebuild_cache", "test"};

bool is_letter(char c) { return c >= 'a' && c <= 'z'; }
bool is_allowed(char c) { return is_letter(c) || (c >= '0' && c <= '9') || c == '_'; }

bool is_plugin_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongest && is_letter(name.front()) && std::all_of(name.begin(), name.end(), is_allowed) &&
         std::find(kReserved.begin(), kReserved.end(), name) == kReserved.end();
}

/// "My-Instrument" -> "my_instrument"; what has no letters becomes empty.
std::string nearest_name(std::string_view name) {
  std::string near;
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (!is_allowed(c)) c = '_';
    if ((near.empty() && !is_letter(c)) || (c == '_' && near.back() == '_')) continue;
    near += c;
  }
  near.resize(std::min(near.size(), kLongest));
  while (!near.empty() && near.back() == '_') near.pop_back();
  return near;
}

/// User input on a terminal: no escape sequences, no endless lines.
std::string shown(std::string_view name) {
  std::string text(name.substr(0, 60));
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return name.size() > 60 ? text + "…" : text;
}

}  // namespace

void check_plugin_name(const std::string& name) {
  if (is_plugin_name(name)) return;
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
  const std::string near = reserved ? name + "_channel" : nearest_name(name);
  throw ConfigError(fmt::format("plugins new '{}': {}{}", shown(name),
                                reserved ? "CMake keeps this name for a target of its own."
                                         : "a plugin's name has 1 to 40 of a-z, 0-9 and _, and begins with a letter.",
                                is_plugin_name(near) ? fmt::format(" Try {}.", near) : ""));
}

}  // namespace unchannel
