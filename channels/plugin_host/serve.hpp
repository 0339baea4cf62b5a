#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace unchannel {

struct ServeSettings {
  std::filesystem::path file;            ///< the plugin
  std::string sha256{};                  ///< its expected content; empty: whatever it is
  std::uint64_t memory_limit_bytes = 0;  ///< private memory of this process; 0: none
  std::uint32_t threads = 1;             ///< budget of a program (compiled plugins are told by the message "create")
  bool end_with_host = false;            ///< kills the process group as soon as the other side closes standard input
};

/// The child's side of the worker protocol: hosts the plugin in this process and answers messages on standard input with messages on
/// standard output until "shutdown" or the end of input. Plugins that are programs run in a child of it. What the plugin prints goes to
/// standard error. Returns the exit status: 0, or 1 when the input is not the protocol.
int serve_plugin(const ServeSettings& settings);

}  // namespace unchannel
