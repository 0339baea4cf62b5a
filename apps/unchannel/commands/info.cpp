#include <CLI/CLI.hpp>
#include <memory>

#include <fmt/core.h>

#include <unchannel/data/describe.hpp>

#include "commands.hpp"

namespace unchannel {

void add_info_command(CLI::App& app) {
  auto input = std::make_shared<std::string>();
  CLI::App* command = app.add_subcommand("info", "describe a data file: shape, origin, normalisation, ranges, columns");
  command->add_option("input", *input, "HDF5 data file")->required();
  command->footer("Example: unchannel info signals.h5\nExit codes: 0 ok, 4 data");
  command->callback([input] { fmt::print("{}", describe_data_file(*input)); });
}

}  // namespace unchannel
