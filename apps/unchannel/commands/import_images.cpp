#include <CLI/CLI.hpp>
#include <memory>

#include <unchannel/base/output_file.hpp>
#include <unchannel/data/images/cifar.hpp>
#include <unchannel/data/images/image_import.hpp>

#include "import_support.hpp"

namespace unchannel {
namespace {

struct CifarArguments {
  ImportArguments common;
  std::vector<std::string> inputs;
  std::string split = "train";
};

void import_cifar_files(const CifarArguments& arguments) {
  refuse_same_file("--output", arguments.common.output, {arguments.inputs.begin(), arguments.inputs.end()});
  CifarImportOptions options;
  arguments.common.apply("unchannel import cifar", options);
  options.split = arguments.split == "train" ? CifarSplit::train : arguments.split == "test" ? CifarSplit::test : CifarSplit::all;
  ImportBar bar("importing CIFAR-10 (KiB)", arguments.common.output);
  const ImportReport report =
      import_cifar({arguments.inputs.begin(), arguments.inputs.end()}, options, arguments.common.output, bar.callback());
  bar.finish();
  print_import(report, arguments.common.output);
}

struct PictureArguments {
  ImportArguments common;
  std::string input, size, fit = "crop", colour = "first", under;
};

void add_picture_options(CLI::App& command, PictureArguments& arguments) {
  arguments.common.add_to(command);
  command.add_option("--size", arguments.size, "pixels of the rows, e.g. 64 or 48x64 (height x width), by area averaging");
  command.add_option("--fit", arguments.fit, "with --size: the centre of the picture in the new shape, or all of it")
      ->check(CLI::IsMember({"crop", "stretch"}))
      ->capture_default_str();
  command.add_option("--colour", arguments.colour, "planes of the rows; first: those of the first picture, others are skipped")
      ->check(CLI::IsMember({"first", "grey", "rgb"}))
      ->capture_default_str();
}

ImageImportOptions picture_options(const PictureArguments& arguments, const std::string& made_by) {
  ImageImportOptions options;
  arguments.common.apply(made_by, options);
  if (!arguments.size.empty()) options.size = parse_image_size(arguments.size);
  options.fit = arguments.fit == "crop" ? FitMode::crop : FitMode::stretch;
  options.colour = arguments.colour == "grey" ? ColourMode::grey : arguments.colour == "rgb" ? ColourMode::rgb : ColourMode::as_first;
  options.under = arguments.under;
  return options;
}

void add_cifar(CLI::App& parent) {
  auto arguments = std::make_shared<CifarArguments>();
  CLI::App* command = parent.add_subcommand("cifar", "CIFAR-10, binary version: rows [3, 32, 32] with labels");
  command->add_option("inputs", arguments->inputs, "cifar-10-binary.tar.gz, a folder with *.bin, or such files (also .gz)")->required();
  arguments->common.add_to(*command);
  command->add_option("--split", arguments->split, "batches of a folder or archive")
      ->check(CLI::IsMember({"train", "test", "all"}))
      ->capture_default_str();
  command->footer(
      "Example: unchannel import cifar cifar-10-binary.tar.gz --output cifar.h5\nExit codes: 0 ok, 2 options, 4 nothing imported or output "
      "not written, 130/143 stopped, nothing written");
  command->callback([arguments] { import_cifar_files(*arguments); });
}

void add_images(CLI::App& parent) {
  auto arguments = std::make_shared<PictureArguments>();
  CLI::App* command = parent.add_subcommand("images", "PNG and JPEG files of a folder and those below it; folder names become classes");
  command->add_option("folder", arguments->input, "folder with *.png, *.jpg, *.jpeg")->required();
  add_picture_options(*command, *arguments);
  command->footer(
      "Example: unchannel import images photos/ --size 64 --colour rgb --output photos.h5\nExit codes: 0 ok, 2 options, 4 nothing imported "
      "or output not written, 130/143 stopped, nothing written");
  command->callback([arguments] {
    ImportBar bar("importing pictures", arguments->common.output);
    const ImportReport report = import_image_folder(arguments->input, picture_options(*arguments, "unchannel import images"),
                                                    arguments->common.output, bar.callback());
    bar.finish();
    print_import(report, arguments->common.output);
  });
}

void add_tar(CLI::App& parent) {
  auto arguments = std::make_shared<PictureArguments>();
  CLI::App* command = parent.add_subcommand("tar", "PNG and JPEG files of a tar, tar.gz or zip file, without unpacking it");
  command->add_option("archive", arguments->input, "tar, tar.gz or zip file")->required();
  add_picture_options(*command, *arguments);
  command->add_option("--under", arguments->under, "only entries below this folder of the archive, e.g. train");
  command->footer(
      "Example: unchannel import tar cifar10_jpg.tar.gz --under train --output train.h5\nExit codes: 0 ok, 2 options, 4 nothing imported "
      "or "
      "output not written, 130/143 stopped, nothing written");
  command->callback([arguments] {
    refuse_same_file("--output", arguments->common.output, {arguments->input});
    ImportBar bar("importing pictures (KiB)", arguments->common.output);
    const ImportReport report = import_image_archive(arguments->input, picture_options(*arguments, "unchannel import tar"),
                                                     arguments->common.output, bar.callback());
    bar.finish();
    print_import(report, arguments->common.output);
  });
}

}  // namespace

void add_import_image_commands(CLI::App& import) {
  add_cifar(import);
  add_images(import);
  add_tar(import);
}

}  // namespace unchannel
