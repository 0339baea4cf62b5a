#pragma once

#include <filesystem>
#include <string>

namespace unchannel {

/// Why the file cannot be a shared library of this machine, or an empty string. Reads headers only and never maps the file: a
/// library cut short by a broken copy raises SIGBUS inside dlopen, so its extents are compared with the file's size before.
std::string elf_problem(const std::filesystem::path& file);

}  // namespace unchannel
