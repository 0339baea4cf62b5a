#pragma once

#include <unchannel/channel.h>

#include <filesystem>
#include <string>

namespace unchannel::conformance {

/// A channel of a program plugin (Python file, *.channel.toml) behind the tables of channel.h, so that the checks examine it like one in a
/// library: an instance is a worker process of its own, a call a message to it. A worker that dies makes the call answer INSTANCE_BROKEN;
/// nothing is replayed. Holds the one channel `id`, or the first where `id` is empty. The first call counts: a process checks one channel.
/// Throws CheckFailed when the file holds no such channel.
const unchannel_module& program_module(const std::filesystem::path& file, const std::string& id);

/// Why a check says nothing about program plugins; nullptr where it applies to them as well.
const char* why_not_for_programs(const std::string& check);

}  // namespace unchannel::conformance
