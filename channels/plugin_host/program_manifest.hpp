#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unchannel {

/// NAME.channel.toml: names a program that speaks the worker protocol, in any language.
///
///     [program]
///     command = ["./detector.py", "--fast"]   # no shell; what begins with ./ or ../ starts at this file's folder
bool is_program_manifest(const std::filesystem::path& file);

/// The command, its program found on PATH where it has no '/'. Throws ConfigError naming file and rule, or PluginError (no such program).
std::vector<std::string> manifest_command(const std::filesystem::path& file);

/// What a probe answers about the manifest: starts the program, says hello and asks it to describe itself. Throws PluginError.
nlohmann::json interview_program(const std::filesystem::path& file);

/// The file `name` of a folder on PATH that may be executed; empty when there is none.
std::string program_on_path(const std::string& name);

}  // namespace unchannel
