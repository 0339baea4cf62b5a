#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "description.hpp"
#include "serve.hpp"

namespace unchannel {

/// Whether the file is a plugin that runs as a program of its own and never inside another one: a Python channel, *.py, or one
/// that a manifest names, *.channel.toml.
bool is_program_plugin(const std::filesystem::path& file);

/// Files in a plugin folder that are no plugins but used by some: their names begin with '_'.
bool is_helper_file(const std::filesystem::path& file);

/// Replaces this process by the program that answers --probe for a Python file. Returns only by throwing PluginError: no interpreter
/// (UNCHANNEL_PYTHON, else python3 on PATH), no runner (<program>/../share/unchannel/python).
[[noreturn]] void probe_program(const std::filesystem::path& file);

/// Throws PluginError or ConfigError when what a program says about itself breaks the rules that the host itself makes sure of for
/// libraries: ids, defaults within ranges, everything once.
void check_description(const ChannelDescription& channel);

/// Runs the program that serves the plugin, with this process's standard input, output and shared memory, and ends as it ends: with its
/// exit status or by its signal. It dies with this process. Throws PluginError as probe_program.
int serve_program(const ServeSettings& settings);

}  // namespace unchannel
