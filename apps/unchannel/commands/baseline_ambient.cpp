#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <optional>
#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/transport/solver.hpp>

#include "../ambient_run.hpp"
#include "../generator_run.hpp"
#include "../new_signals.hpp"
#include "../posterior_draws.hpp"
#include "commands.hpp"
#include "training.hpp"

// Shape legend: B rows of a block · D signal dimensions flattened
namespace unchannel {
namespace {

struct AmbientArguments {
  std::string config, run, input, output;
  std::vector<std::string> overrides, plugin_folders;
  std::optional<double> guidance;
  double delta = 0.1;
  std::int64_t count = 0, steps = 0;
  std::uint64_t key = 1;
};

void check_arguments(const AmbientArguments& arguments) {
  const bool restores = !arguments.input.empty(), samples = arguments.count > 0;
  check<ConfigError>(!(restores && samples), "baseline ambient: --input restores, --count draws new signals; give one of them.");
  check<ConfigError>((restores || samples) == !arguments.output.empty(),
                     "baseline ambient: --output names the file for --input or --count; give both or, to train only, neither.");
  check<ConfigError>(!arguments.guidance || restores, "baseline ambient: --guidance pulls draws towards observations; name them with --input.");
  check<ConfigError>(arguments.steps == 0 || samples || arguments.guidance,
                     "baseline ambient: --steps are those of a draw; a restoration is one network call unless --guidance is given.");
}

/// One draw for each observation by DPS, the denoiser's masks being such as those of its training.
at::Tensor guided_draw(const AmbientRun& run, const Channel& channel, const ObservationBatch& batch, double guidance, std::int64_t steps,
                       RandomKey key) {
  const at::Tensor ids_B = batch.row_numbers();
  const baselines::Measured measured(channel, batch.latents, batch.raw_BM);
  const baselines::ConditionalMean mean = run.denoiser().fixed_mask_mean(run.network(), run.drawn_masks(key.derive(Purpose::kMixture), ids_B));
  return sample_dps(mean, measured, {.form = "norm", .guidance = guidance, .steps = steps}, key.derive(Purpose::kTransportNoise), ids_B);
}

void restore_input(const AmbientArguments& arguments, const RunConfig& config, const AmbientRun& run, const Channel& channel) {
  const DatasetReader observations(arguments.input, DatasetKind::observations);
  check_row_size(observations, channel);
  const RandomKey key = RandomKey(arguments.key).derive(Purpose::kBaseline);
  const std::int64_t steps = arguments.guidance ? sampling_steps(arguments.steps, run.levels(), 1) : 1;
  const std::string how =
      arguments.guidance ? fmt::format("drawn with guidance {:g} in {} steps", *arguments.guidance, steps) : "posterior mean of hidden pixels";
  const auto make = [&](std::uint64_t first, std::uint64_t count) {
    const ObservationBatch batch = read_observations(observations, channel, first, count);
    if (arguments.guidance) return guided_draw(run, channel, batch, *arguments.guidance, steps, key);
    return run.denoiser().restore(run.network(), batch.lifted_BD, masks_of(batch), run.least_time(), key, batch.row_numbers());
  };
  write_signals(observations, channel, arguments.output,
                fmt::format("restored from {} by ambient diffusion, {}, key {}, {}", arguments.input, how, arguments.key, run.name()),
                static_cast<std::uint64_t>(config.train.transport.batch), make);
}

void draw_new(const AmbientArguments& arguments, const RunConfig& config, const AmbientRun& run, const Channel& channel) {
  const RandomKey key = RandomKey(arguments.key).derive(Purpose::kSignalPrior);
  const std::int64_t steps = sampling_steps(arguments.steps, run.levels(), 1);
  const auto make = [&](const at::Tensor& ids_B) {
    const at::Tensor shown_BS = run.drawn_masks(key.derive(1), ids_B);
    const std::int64_t planes = channel.signal_shape().size() == 3 ? channel.signal_shape()[0] : 1;
    return run.denoiser().sample(run.network(), shown_BS, normal_rows(key, ids_B, planes * shown_BS.size(1)), steps);
  };
  write_new_signals(arguments.output, channel.signal_shape(),
                    fmt::format("drawn by ambient diffusion with a fixed mask, {} steps, key {}, {}", steps, arguments.key, run.name()),
                    arguments.count, config.train.transport.batch, make);
}

void run_ambient(const AmbientArguments& arguments) {
  check_arguments(arguments);
  if (!arguments.output.empty()) refuse_same_file("--output", arguments.output, {arguments.config, arguments.input});
  const RunConfig config = RunConfig::read(arguments.config, arguments.overrides);
  use_threads(config.train.run);
  const std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, config.train.data.file());
  AmbientRun run(config, arguments.run, arguments.delta, *channel);
  run.train();
  if (!arguments.input.empty()) restore_input(arguments, config, run, *channel);
  if (arguments.count > 0) draw_new(arguments, config, run, *channel);
  fmt::print("{}\n", arguments.output.empty() ? arguments.run : arguments.output);
}

}  // namespace

void add_baseline_ambient_command(CLI::App& baseline) {
  auto arguments = std::make_shared<AmbientArguments>();
  CLI::App* command =
      baseline.add_subcommand("ambient", "ambient diffusion: a denoiser learnt from masked observations alone (channel random_mask)");
  command->add_option("config", arguments->config, "TOML configuration: channel, observations, network, steps")->required();
  command->add_option("--run", arguments->run, "folder of the denoiser; trained there until it is finished")->required();
  command->add_option("--delta", arguments->delta, "share of the kept pixels that training hides, too (default 0.1)")
      ->check(CLI::Range(0.001, 0.999));
  command->add_option("--input", arguments->input, "HDF5 file with /observations and masks to restore");
  command->add_option("--count", arguments->count, "new signals to draw instead")->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_option("--output", arguments->output, "HDF5 file to write /signals to");
  command->add_option("--guidance", arguments->guidance, "--input: draw by DPS of this strength instead of taking the mean")
      ->check(CLI::NonNegativeNumber);
  command->add_option("--steps", arguments->steps, "steps of a draw, a divisor of interpolant.time_levels (default: the largest up to 256)")
      ->check(CLI::Range(2, 4096));
  command->add_option("--key", arguments->key, "key of the random numbers of draws (default 1)");
  command->add_option("--set", arguments->overrides, "override a key of the configuration (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "The same command again goes on where it stopped; a finished denoiser is used as it is.\n"
      "Example: unchannel baseline ambient mask.toml --run runs/ambient --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped, with a checkpoint");
  command->callback([arguments] { run_ambient(*arguments); });
}

}  // namespace unchannel
