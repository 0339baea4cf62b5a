#include <CLI/CLI.hpp>
#include <memory>

#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/data/arrays/npy_export.hpp>
#include <unchannel/data/fits/fits_export.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

struct FitsArguments {
  std::string input, output;
};

struct NpyArguments {
  std::string input, output, dataset;
};

bool names_a_file(const std::filesystem::path& output) {
  const std::string extension = output.extension().string();
  return extension == ".fits" || extension == ".fit" || extension == ".fts";
}

void export_to_fits(const FitsArguments& arguments) {
  refuse_same_file("--output", arguments.output, {arguments.input});
  const DatasetReader source(arguments.input);
  if (names_a_file(arguments.output)) {
    export_fits(source, arguments.output);
    fmt::print("{} rows of {} written to {}\n", source.rows(), arguments.input, arguments.output);
  } else {
    fmt::print("{} files written to {}\n", export_fits_rows(source, arguments.output), arguments.output);
  }
}

void add_fits(CLI::App& parent) {
  auto arguments = std::make_shared<FitsArguments>();
  CLI::App* fits = parent.add_subcommand("fits", "one FITS file (OUTPUT.fits), or one file a row (a folder), with provenance cards");
  fits->add_option("input", arguments->input, "HDF5 data file")->required();
  fits->add_option("--output", arguments->output, "FILE.fits, or a folder")->required();
  fits->footer("Example: unchannel export fits restored.h5 --output restored.fits\nExit codes: 0 ok, 2 options, 4 data or disk");
  fits->callback([arguments] { export_to_fits(*arguments); });
}

void add_npy(CLI::App& parent) {
  auto arguments = std::make_shared<NpyArguments>();
  CLI::App* npy = parent.add_subcommand("npy", "one dataset as an array of NumPy");
  npy->add_option("input", arguments->input, "HDF5 data file")->required();
  npy->add_option("--output", arguments->output, "FILE.npy")->required();
  npy->add_option("--dataset", arguments->dataset, "ivar, mask, latents/NAME, object_id or another column (default: the rows)");
  npy->footer("Example: unchannel export npy restored.h5 --output restored.npy\nExit codes: 0 ok, 2 options, 4 data or disk");
  npy->callback([arguments] {
    refuse_same_file("--output", arguments->output, {arguments->input});
    const DatasetReader source(arguments->input);
    export_npy(source, arguments->dataset, arguments->output);
    fmt::print("{} rows of {} written to {}\n", source.rows(), arguments->input, arguments->output);
  });
}

}  // namespace

void add_export_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("export", "write a data file in other formats");
  command->require_subcommand(1);
  add_fits(*command);
  add_npy(*command);
}

}  // namespace unchannel
