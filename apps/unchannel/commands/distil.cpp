#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/scsi/distillation.hpp>

#include "../run_config.hpp"
#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

struct DistilArguments {
  std::string run;
  std::vector<std::string> plugin_folders;
  DistillationSettings settings;
};

void distil_run(const DistilArguments& arguments) {
  const RunConfig config = read_run_config(arguments.run);
  use_threads(config.train.run);
  const std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, config.train.data.file());
  const TrainedModel trained = open_trained_model(arguments.run, config.train.model, config.train.interpolant);
  const Observations observations(config.train.data, *channel, RandomKey(static_cast<std::uint64_t>(config.train.run.key)));
  Progress bar("distil", arguments.settings.steps);
  const DistilledModel distilled = distil(trained, *channel, observations, config.train.transport.in_restoration(), arguments.settings,
                                          [&](std::int64_t step) { return bar.update(step), stop_requested(); });
  bar.finish();
  store_one_call(arguments.run, trained, distilled);
  fmt::print("one call differs from the whole transport by {:.1f} % of what the transport changes, on held-out observations\n",
             100.0 * distilled.disagreement);
}

}  // namespace

void add_distil_command(CLI::App& app) {
  auto arguments = std::make_shared<DistilArguments>();
  CLI::App* command = app.add_subcommand("distil", "fit a network whose one call stands for a run's whole transport, for fast restoration");
  command->add_option("run", arguments->run, "run folder of a training whose transport is an ODE")->required();
  command->add_option("--steps", arguments->settings.steps, "steps of the fit (default 2000)")->check(CLI::Range(1, 10000000));
  command->add_option("--batch", arguments->settings.batch, "pairs of one step (default 256)")->check(CLI::Range(1, 1000000));
  command->add_option("--learning-rate", arguments->settings.learning_rate, "highest learning rate of Adam (default 5e-4)")->check(CLI::Range(0.0, 1.0));
  command->add_option("--key", arguments->settings.key, "key of the random numbers")->check(CLI::NonNegativeNumber);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "Example: unchannel distil runs/demo && unchannel restore runs/demo --one-call --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped, nothing written");
  command->callback([arguments] { distil_run(*arguments); });
}

}  // namespace unchannel
