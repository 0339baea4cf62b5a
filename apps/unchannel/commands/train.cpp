#include <CLI/CLI.hpp>
#include <memory>

#include <fmt/core.h>

#include <unchannel/distributed/agreement.hpp>
#include <unchannel/nn/memory.hpp>

#include "../rank_session.hpp"
#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

struct TrainArguments {
  std::string config;
  std::string run;
  std::vector<std::string> overrides;
  std::vector<std::string> plugin_folders;
  bool resume = false;
};

/// runs/<name of the configuration>, the default run folder.
std::filesystem::path default_run(const std::filesystem::path& config) { return std::filesystem::path("runs") / config.stem(); }

void train(const TrainArguments& arguments, Ranks& ranks) {
  keep_freed_memory();
  const std::filesystem::path run = arguments.run.empty() ? default_run(arguments.config) : std::filesystem::path(arguments.run);
  RunConfig config;
  together(ranks, [&] { config = RunConfig::read(arguments.config, arguments.overrides); });
  if (config.unknown.declared() && ranks.first()) {
    fmt::print(stderr, "{} is declared unknown; this training takes the value of [channel.parameters]. unchannel identify says what the data allow.\n",
               config.unknown.parameter);
  }
  run_training(std::move(config), arguments.config, run, arguments.resume, arguments.plugin_folders, ranks);
  if (ranks.first()) fmt::print("{}\n", run.string());
}

}  // namespace

void add_train_command(CLI::App& app) {
  auto arguments = std::make_shared<TrainArguments>();
  CLI::App* command = app.add_subcommand("train", "train a model from a TOML configuration");
  command->add_option("config", arguments->config, "TOML configuration")->required();
  command->add_option("--run", arguments->run, "run folder (default: runs/<name of the configuration>)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set scsi.steps=2000 (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "continue from the last checkpoint");
  command->footer(
      "Example: unchannel train configs/quasar/demo.toml --run runs/demo --set run.threads=2\n"
      "Several processes: mpirun -n 4 unchannel train ..., or srun; see docs/scaling.md\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical or out of memory, 6 another process was lost,\n"
      "130/143 stopped, with a checkpoint from the first step on");
  command->callback([arguments] {
    run_as_rank([&](Ranks& ranks) { train(*arguments, ranks); });
  });
}

}  // namespace unchannel
