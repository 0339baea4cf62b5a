#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <unchannel/base/output_file.hpp>
#include <unchannel/data/row_shard.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

struct JoinArguments {
  std::vector<std::string> shards;
  std::string output;
};

void join(const JoinArguments& arguments) {
  const std::vector<std::filesystem::path> shards(arguments.shards.begin(), arguments.shards.end());
  refuse_same_file("--output", arguments.output, shards);
  join_shards(shards, arguments.output);
  fmt::print("{}\n", arguments.output);
}

}  // namespace

void add_join_command(CLI::App& app) {
  auto arguments = std::make_shared<JoinArguments>();
  CLI::App* command = app.add_subcommand("join", "make one file of the shards that `restore --shard` wrote");
  command->add_option("shards", arguments->shards, "the files of all shards, in any order")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write")->required();
  command->footer(
      "Example: unchannel join parts/*.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 usage, 4 data or disk: a shard is missing, there twice or of another task; 130/143 stopped, nothing was written");
  command->callback([arguments] { join(*arguments); });
}

}  // namespace unchannel
