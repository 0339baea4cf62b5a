#include <CLI/CLI.hpp>
#include <memory>

#include <unchannel/base/output_file.hpp>
#include <unchannel/data/arrays/idx_import.hpp>
#include <unchannel/data/arrays/mat_import.hpp>
#include <unchannel/data/arrays/npy_import.hpp>

#include "import_support.hpp"

namespace unchannel {
namespace {

struct ArrayArguments {
  ImportArguments common;
  std::string input, layout, name, labels;
  std::vector<std::uint64_t> reshape;
  std::vector<double> range;
};

void add_array_options(CLI::App& command, ArrayArguments& arguments, const std::string& layout_default) {
  arguments.common.add_to(command);
  command.add_option("--layout", arguments.layout,
                     "one letter an axis: N rows, H and W and C (planes), or D for axes kept as they are (" + layout_default + ")");
  command.add_option("--reshape", arguments.reshape, "other extents for the same numbers, e.g. 64,64,400")->delimiter(',');
  command.add_option("--range", arguments.range, "two stored numbers that become the ends of the scale (default: those of the type)")
      ->expected(2);
}

void apply(const ArrayArguments& arguments, const std::string& made_by, ArrayImportOptions& options) {
  arguments.common.apply(made_by, options);
  options.layout = arguments.layout;
  options.reshape = arguments.reshape;
  if (!arguments.range.empty()) {
    options.range = {arguments.range[0], arguments.range[1]};
    if (options.scale == ValueScale::automatic) options.scale = ValueScale::signed_unit;
  }
}

template <class Options, class Import>
void run(const ArrayArguments& arguments, const std::string& made_by, Options options, Import&& import) {
  apply(arguments, made_by, options);
  refuse_same_file("--output", arguments.common.output, {arguments.input, arguments.labels});
  ImportBar bar("importing rows", arguments.common.output);
  const ImportReport report = import(arguments.input, options, arguments.common.output, bar.callback());
  bar.finish();
  print_import(report, arguments.common.output);
}

void add_idx(CLI::App& parent) {
  auto arguments = std::make_shared<ArrayArguments>();
  CLI::App* command = parent.add_subcommand("idx", "idx files, the format of MNIST and Fashion-MNIST, gzipped or not");
  command->add_option("input", arguments->input, "idx file")->required();
  command->add_option("--labels", arguments->labels, "idx file with one label a row");
  add_array_options(*command, *arguments, "default NHW for rank 3");
  command->footer(
      "Example: unchannel import idx t10k-images-idx3-ubyte.gz --labels t10k-labels-idx1-ubyte.gz --output test.h5\nExit codes: 0 ok, 2 "
      "options, 4 data or disk, 130/143 stopped, nothing written");
  command->callback([arguments] {
    IdxImportOptions options;
    options.labels = arguments->labels;
    run(*arguments, "unchannel import idx", options, import_idx);
  });
}

void add_mat(CLI::App& parent) {
  auto arguments = std::make_shared<ArrayArguments>();
  CLI::App* command = parent.add_subcommand("mat", "a numeric array of a MATLAB file (save -v6 or -v7)");
  command->add_option("input", arguments->input, "MATLAB v5 file")->required();
  command->add_option("--variable", arguments->name, "array to read (default: the only one)");
  command->add_option("--labels", arguments->labels, "a further variable with one label a row");
  add_array_options(*command, *arguments, "needed");
  command->footer(
      "Example: unchannel import mat olivettifaces.mat --variable faces --reshape 64,64,400 --layout HWN --output faces.h5\nExit codes: 0 "
      "ok, 2 options, 4 data or disk, 130/143 stopped, nothing written");
  command->callback([arguments] {
    MatImportOptions options;
    options.variable = arguments->name;
    options.labels = arguments->labels;
    run(*arguments, "unchannel import mat", options, import_mat);
  });
}

void add_npy(CLI::App& parent) {
  auto arguments = std::make_shared<ArrayArguments>();
  CLI::App* command = parent.add_subcommand("npy", "an array of NumPy: .npy (also gzipped) or .npz");
  command->add_option("input", arguments->input, ".npy or .npz file")->required();
  command->add_option("--array", arguments->name, "array of an .npz file (default: the only one)");
  command->add_option("--labels", arguments->labels, ".npy file, or further array of the .npz file, with one label a row");
  add_array_options(*command, *arguments, "default N and as many D as there are further axes");
  command->footer(
      "Example: unchannel import npy images.npy --layout NHWC --output images.h5\nExit codes: 0 ok, 2 options, 4 data or disk, 130/143 "
      "stopped, nothing written");
  command->callback([arguments] {
    NpyImportOptions options;
    options.array = arguments->name;
    options.labels = arguments->labels;
    run(*arguments, "unchannel import npy", options, import_npy);
  });
}

}  // namespace

void add_import_array_commands(CLI::App& import) {
  add_idx(import);
  add_mat(import);
  add_npy(import);
}

}  // namespace unchannel
