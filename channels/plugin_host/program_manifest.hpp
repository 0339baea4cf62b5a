#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace unchannel {

/// NAME.channel.toml: names a program that speaks the worker protocol, in any language, or (`rows`, row_program.hpp) one that knows
/// nothing of it.
///
///     [program]
///     command = ["./detector.py", "--fast"]   # no shell; what begins with ./ or ../ starts at this file's folder
struct ProgramManifest {
  std::vector<std::string> command;
  std::string rows;        ///< "", "float32" or "text"
  nlohmann::json channel;  ///< the table [channel]; null without `rows`
  std::string place;       ///< "file:line" of the command
};

bool is_program_manifest(const std::filesystem::path& file);

/// Throws ConfigError naming file, line and rule.
ProgramManifest read_manifest(const std::filesystem::path& file);

/// The command, its program found on PATH where it has no '/'. Throws PluginError (no such program).
std::vector<std::string> startable_command(const ProgramManifest& manifest);
/// Of a file: throws as both.
std::vector<std::string> manifest_command(const std::filesystem::path& file);

/// What a probe answers about the manifest: starts the program, says hello and asks it to describe itself. Throws PluginError.
nlohmann::json interview_program(const std::filesystem::path& file);

/// The file `name` of a folder on PATH that may be executed; empty when there is none.
std::string program_on_path(const std::string& name);

}  // namespace unchannel
