#include <fmt/core.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/baselines/guided_sampling.hpp>
#include <unchannel/scsi/observations.hpp>

#include "../posterior_draws.hpp"
#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

constexpr std::uint64_t kTuningRows = 256;

struct GuidedArguments {
  std::string config, prior, input, output, truth;
  std::vector<std::string> overrides, plugin_folders;
  std::vector<double> grid;
  PosteriorSettings settings;
  bool guidance_given = false;
};

/// Picks the guidance on the first rows of the truth and says so.
void tune(const GuidedArguments& arguments, const DatasetReader& observations, PosteriorDraws& draws) {
  const DatasetReader truth(arguments.truth, DatasetKind::signals);
  check<ShapeError>(truth.rows() == observations.rows(), "{} has {} rows and {} has {}; they must be pairs.", arguments.truth, truth.rows(),
                    arguments.input, observations.rows());
  const std::vector<std::uint64_t> rows = row_range(0, std::min(kTuningRows, observations.rows()));
  const auto draw = [&](double guidance) { return draws.draw(observations, 0, rows.size(), guidance); };
  const at::Tensor truth_BD = read_rows(truth, rows);
  check<ShapeError>(truth_BD.size(1) == draws.signal_size(), "{}: its signals have {} elements; the channel takes {}.", arguments.truth,
                    truth_BD.size(1), draws.signal_size());
  const baselines::TunedGuidance tuned = baselines::tune_guidance(arguments.grid, truth_BD, draw);
  draws.set_guidance(tuned.guidance);
  fmt::print(stderr, "guidance {:g}, tuned on the truth of {} rows; rmse {:.4g} of guidance {:g}\n", tuned.guidance, rows.size(),
             fmt::join(tuned.tried_rmse, ", "), fmt::join(arguments.grid, ", "));
}

void check_guidance(const GuidedArguments& arguments) {
  const std::string& method = arguments.settings.method;
  check<ConfigError>(arguments.truth.empty() == arguments.grid.empty(),
                     "baseline {}: --tune-on and --grid belong together; give both or neither.", method);
  check<ConfigError>(!arguments.guidance_given || arguments.truth.empty(), "baseline {}: give --guidance or --tune-on, not both.", method);
  check<ConfigError>(method != "dps" || arguments.guidance_given || !arguments.truth.empty(),
                     "baseline dps: no guidance fits all channels; give --guidance, or find it with --tune-on TRUTH --grid 0.1,0.3,1.");
}

void run_guided(const GuidedArguments& arguments) {
  check_guidance(arguments);
  refuse_same_file("--output", arguments.output, {arguments.config, arguments.input, arguments.truth});
  const RunConfig config = RunConfig::read(arguments.config, arguments.overrides);
  use_threads(config.train.run);
  const GeneratorRun generator = open_generator(arguments.prior);
  const std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, arguments.input);
  const DatasetReader observations(arguments.input, DatasetKind::observations);
  PosteriorSettings settings = arguments.settings;
  if (settings.method == "mmps") settings.noise_sigma = noise_sigma_of(*channel, settings.noise_sigma);
  PosteriorDraws draws(generator, *channel, settings, arguments.input);
  if (!arguments.truth.empty()) tune(arguments, observations, draws);
  const std::string tuned = arguments.truth.empty() ? "" : fmt::format(" (guidance tuned on the truth {})", arguments.truth);
  draws.write(
      observations, arguments.output,
      fmt::format("drawn given {} by {}{} with the generator of {}", arguments.input, draws.settings().name(), tuned, generator.name()));
  fmt::print("{}\n", arguments.output);
}

CLI::App* add_guided(CLI::App& baseline, const std::string& method, const std::string& description,
                     const std::shared_ptr<GuidedArguments>& arguments) {
  arguments->settings.method = method;
  CLI::App* command = baseline.add_subcommand(method, description);
  command->add_option("config", arguments->config, "TOML configuration; its [channel] is used")->required();
  command->add_option("--prior", arguments->prior, "run folder of a generator, see unchannel sample")->required();
  command->add_option("--input", arguments->input, "HDF5 file with /observations and every latent of the channel")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write /signals to")->required();
  CLI::Option* guidance = command->add_option("--guidance", arguments->settings.guidance, "strength of the pull towards the observation")
                              ->check(CLI::NonNegativeNumber);
  command->add_option("--tune-on", arguments->truth, "HDF5 file with the true signals: take the guidance with the least RMSE on 256 rows");
  command->add_option("--grid", arguments->grid, "guidances to try, e.g. 0.1,0.3,1")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->check(CLI::NonNegativeNumber);
  command
      ->add_option("--steps", arguments->settings.steps, "steps, a divisor of the generator's time levels (default: the largest up to 256)")
      ->check(CLI::Range(2, 4096));
  command->add_option("--key", arguments->settings.key, "key of the random numbers (default 1)");
  command->add_option("--set", arguments->overrides, "override a key of the configuration (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->callback([arguments, guidance] {
    arguments->guidance_given = guidance->count() > 0;
    run_guided(*arguments);
  });
  return command;
}

}  // namespace

void add_baseline_command(CLI::App& app) {
  CLI::App* baseline = app.add_subcommand("baseline", "methods to compare with; they know more of the channel than its runs");
  baseline->require_subcommand(1);
  const auto dps = std::make_shared<GuidedArguments>(), mmps = std::make_shared<GuidedArguments>();
  CLI::App* command = add_guided(*baseline, "dps", "diffusion posterior sampling: gradient of the misfit at the denoised signal", dps);
  command->add_option("--form", dps->settings.form, "misfit: norm |y - A(x)| as in the published code (default), or squared")
      ->check(CLI::IsMember({"norm", "squared"}));
  command->footer(
      "Example: unchannel baseline dps config.toml --prior runs/generator --input observed.h5 --output dps.h5 --guidance 0.3\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped");
  command = add_guided(*baseline, "mmps", "moment-matching posterior sampling: exact for Gaussian signals", mmps);
  command
      ->add_option("--noise-sigma", mmps->settings.noise_sigma,
                   "standard deviation of the white noise (default: what the channel declares)")
      ->check(CLI::PositiveNumber);
  command->add_option("--iterations", mmps->settings.iterations, "conjugate gradients in each step, at most (default 8)")
      ->check(CLI::Range(1, 1000));
  command->footer(
      "Example: unchannel baseline mmps config.toml --prior runs/generator --input observed.h5 --output mmps.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped");
  add_baseline_em_command(*baseline);
  add_baseline_ambient_command(*baseline);
}

}  // namespace unchannel
