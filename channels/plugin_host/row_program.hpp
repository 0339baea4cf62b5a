#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "description.hpp"

namespace unchannel {

/// How a batch reaches a row program and comes back: one row a sample, its values in C order.
enum class RowFormat {
  kRaw,   ///< raw little-endian float32, nothing between rows
  kText,  ///< a line a row: decimal numbers with blanks between them
};

/// A manifest with `rows`: the command knows nothing of the worker protocol. It is run once for each batch, reads rows of signals on its
/// standard input and writes as many rows of observations, of the same shape. docs/plugin-authors/program.md is its contract.
///
///     [program]
///     command = ["awk", "-v", "rate={rate}", "-f", "./_dead_time.awk"]   # {ID} of a parameter, {key}, {count}, {values}
///     rows = "text"
///     [channel]
///     id = "org.example.dead_time"
///     [channel.parameters.rate]
///     default = 0.1
struct RowProgram {
  std::vector<std::string> command;
  RowFormat format = RowFormat::kRaw;
  ChannelDescription channel;
};

/// Whether the file is a manifest with `rows`. False for whatever cannot be read.
bool is_row_program(const std::filesystem::path& file);

/// Throws ConfigError naming file and rule, or PluginError (no such program).
RowProgram read_row_program(const std::filesystem::path& file);

/// The description that the table [channel] of a manifest stands for. Throws ConfigError beginning with `place`.
ChannelDescription row_channel_description(const nlohmann::json& table, const std::string& place);

}  // namespace unchannel
