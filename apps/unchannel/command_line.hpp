#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace unchannel {

/// Throws ConfigError, with the nearest known word, when what stands where a command must stand is none, nor an option: CLI11 only says
/// that a command is missing.
void check_command_words(const CLI::App& program, int argc, const char* const* argv);

/// The message on words that no command of a failed parse took, with the nearest option.
std::string unexpected_words(const CLI::App& program);

}  // namespace unchannel
