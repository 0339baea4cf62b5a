#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/data/prior/quasar_draw.hpp>
#include <unchannel/data/prior/two_moons.hpp>
#include <unchannel/data/spectra/sdss_import.hpp>

#include "import_support.hpp"

namespace unchannel {
namespace {

struct SdssArguments {
  std::vector<std::string> inputs;
  std::string output, frame = "rest";
  CLI::Option* wavelength_min = nullptr;
  CLI::Option* wavelength_max = nullptr;
  SdssImportOptions options;
};

void print_table(const std::vector<SdssImportEntry>& entries) {
  fmt::print("{:<30} {:<8} {:>8} {:>6} {:>9}  {}\n", "file", "class", "redshift", "S/N", "coverage", "result");
  for (const SdssImportEntry& entry : entries) {
    fmt::print("{:<30} {:<8} {:>8} {:>6} {:>9}  {}\n", entry.file, entry.name.empty() ? "-" : entry.object_class,
               entry.name.empty() ? "-" : fmt::format("{:.4f}", entry.redshift), entry.snr > 0 ? fmt::format("{:.2f}", entry.snr) : "-",
               entry.coverage > 0 ? fmt::format("{:.0f} %", 100 * entry.coverage) : "-",
               entry.imported ? "imported" : "skipped: " + entry.reason);
  }
}

void import_sdss_files(SdssArguments& arguments) {
  arguments.options.rest_frame = arguments.frame == "rest";
  if (!arguments.options.rest_frame) {  // the headline set's window, where the caller names no other
    if (arguments.wavelength_min->count() == 0) arguments.options.wavelength_min_angstrom = 4000;
    if (arguments.wavelength_max->count() == 0) arguments.options.wavelength_max_angstrom = 5320;
  }
  const auto files = find_sdss_files({arguments.inputs.begin(), arguments.inputs.end()});
  refuse_same_file("--output", arguments.output, files);
  Progress bar("importing spectra", static_cast<std::int64_t>(files.size()));
  const auto entries = import_sdss(files, arguments.options, arguments.output, [&](std::size_t done) {
    stop_import_if_requested(arguments.output);
    bar.update(static_cast<std::int64_t>(done));
  });
  bar.finish();
  print_table(entries);
  const auto imported = std::count_if(entries.begin(), entries.end(), [](const auto& entry) { return entry.imported; });
  check<DataError>(imported > 0, "{}: not written: none of {} files could be imported; the table says why.", arguments.output,
                   entries.size());
  fmt::print("\n{} of {} spectra imported into {}\n", imported, entries.size(), arguments.output);
}

void add_sdss(CLI::App& parent) {
  auto arguments = std::make_shared<SdssArguments>();
  CLI::App* command = parent.add_subcommand("sdss",
                                            "SDSS/BOSS spectra (spec-*.fits) onto one log-wavelength grid, normalised by their rest "
                                            "1425-1475 angstrom median");
  command->add_option("inputs", arguments->inputs, "folders with spec-*.fits, or files")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write")->required();
  command->add_option("--frame", arguments->frame, "frame of the wavelengths")
      ->check(CLI::IsMember({"rest", "observed"}))
      ->capture_default_str();
  arguments->wavelength_min = command->add_option("--wavelength-min", arguments->options.wavelength_min_angstrom,
                                                  "first pixel, angstrom in vacuum (default 1100 rest, 4000 observed)");
  arguments->wavelength_max = command->add_option("--wavelength-max", arguments->options.wavelength_max_angstrom,
                                                  "last pixel, angstrom in vacuum (default 1415 rest, 5320 observed)");
  command->add_option("--pixels", arguments->options.pixels, "pixels, both ends included")->capture_default_str();
  command->add_option("--class", arguments->options.object_class, "pipeline class to keep; \"\" for all")->capture_default_str();
  command->add_option("--min-coverage", arguments->options.min_coverage, "smallest share of good pixels")->capture_default_str();
  command->footer(
      "Example: unchannel import sdss spectra/ --output boss.h5 --frame rest\nExit codes: 0 ok, 2 options, 4 nothing imported or output "
      "not written");
  command->callback([arguments] { import_sdss_files(*arguments); });
}

struct PriorArguments {
  std::string input, output, frame = "observed";
  QuasarDrawOptions options;
};

void draw_quasars(PriorArguments& arguments) {
  arguments.options.rest_frame = arguments.frame == "rest";
  refuse_same_file("--output", arguments.output, {arguments.input});
  const QuasarPrior prior = load_quasar_prior(arguments.input);
  Progress bar("drawing semi-synthetic quasars", static_cast<std::int64_t>(arguments.options.count));
  write_quasar_draw(prior, arguments.options, arguments.output, [&](std::uint64_t done) {
    stop_import_if_requested(arguments.output);
    bar.update(static_cast<std::int64_t>(done));
  });
  bar.finish();
  fmt::print("{} signals of {} pixels written to {}\norigin: {}\n", arguments.options.count, arguments.options.pixels, arguments.output,
             quasar_draw_origin(arguments.options));
}

void add_quasar_prior(CLI::App& parent) {
  auto arguments = std::make_shared<PriorArguments>();
  QuasarDrawOptions& options = arguments->options;
  CLI::App* command = parent.add_subcommand("quasar-prior", "semi-synthetic quasars x = mu + M w drawn from the eBOSS DR16Q prior");
  command->add_option("input", arguments->input, "eboss_dr16q_minus_dr12q.npz, or the wheel of gp-dla-finder 0.1.0 that holds it")
      ->required();
  command->add_option("--output", arguments->output, "HDF5 file to write")->required();
  command->add_option("--count", options.count, "number of objects")->required();
  command->add_option("--key", options.key, "random key")->capture_default_str();
  command->add_option("--first-index", options.first_index, "global index of the first object: disjoint ranges give independent sets")
      ->capture_default_str();
  command->add_option("--frame", arguments->frame, "frame of the wavelengths")
      ->check(CLI::IsMember({"observed", "rest"}))
      ->capture_default_str();
  command->add_option("--redshift-min", options.redshift_min)->capture_default_str();
  command->add_option("--redshift-max", options.redshift_max)->capture_default_str();
  command->add_option("--wavelength-min", options.wavelength_min_angstrom, "first pixel, angstrom")->capture_default_str();
  command->add_option("--wavelength-max", options.wavelength_max_angstrom, "last pixel, angstrom")->capture_default_str();
  command->add_option("--pixels", options.pixels, "pixels, both ends included")->capture_default_str();
  command->add_flag("--forest", options.forest, "Lyman-alpha forest with log-normal optical depth");
  command->add_option("--broad-absorption", options.broad_absorption, "share of objects with broad-absorption troughs, 0 to 1")
      ->capture_default_str();
  command->footer(
      "Example: unchannel import quasar-prior gp_dla_finder.whl --count 12000 --output signals.h5\nExit codes: 0 ok, 2 options, 4 data or "
      "disk");
  command->callback([arguments] { draw_quasars(*arguments); });
}

struct MoonsArguments {
  std::string output;
  TwoMoonsOptions options;
};

void draw_moons(const MoonsArguments& arguments) {
  Progress bar("drawing two moons", static_cast<std::int64_t>(arguments.options.count));
  write_two_moons(arguments.options, arguments.output, [&](std::uint64_t done) {
    stop_import_if_requested(arguments.output);
    bar.update(static_cast<std::int64_t>(done));
  });
  bar.finish();
  fmt::print("{} points written to {}\n", arguments.options.count, arguments.output);
}

void add_two_moons(CLI::App& parent) {
  auto arguments = std::make_shared<MoonsArguments>();
  TwoMoonsOptions& options = arguments->options;
  CLI::App* command = parent.add_subcommand("two-moons", "synthetic points on two interleaved half circles, x = 4 (p - 1/2)");
  command->add_option("--output", arguments->output, "HDF5 file to write")->required();
  command->add_option("--count", options.count, "number of points, half of them on each arm")->required();
  command->add_option("--key", options.key, "random key")->capture_default_str();
  command->add_option("--first-index", options.first_index, "global index of the first point: disjoint ranges give independent sets")
      ->capture_default_str();
  command->add_option("--noise", options.noise, "standard deviation around an arm, in units of its radius")->capture_default_str();
  command->footer("Example: unchannel import two-moons --count 7000 --output signals.h5\nExit codes: 0 ok, 2 options, 4 disk");
  command->callback([arguments] { draw_moons(*arguments); });
}

}  // namespace

void add_import_command(CLI::App& app) {
  CLI::App* command = app.add_subcommand("import", "make a data file from other formats");
  command->require_subcommand(1);
  add_sdss(*command);
  add_quasar_prior(*command);
  add_import_image_commands(*command);
  add_import_array_commands(*command);
  add_two_moons(*command);
}

}  // namespace unchannel
