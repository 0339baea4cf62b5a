#include <ATen/Parallel.h>
#include <ATen/Version.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include <fmt/core.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/nn/autocast.hpp>
#include <unchannel/nn/memory.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/trainer.hpp>

#include "../run_config.hpp"
#include "commands.hpp"

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

nlohmann::json provenance(const RunConfig& config, const Channel& channel) {
  return {{"unchannel_version", UNCHANNEL_VERSION},
          {"git", UNCHANNEL_GIT_REVISION},
          {"torch", at::show_config().substr(0, at::show_config().find('\n'))},
          {"threads", at::get_num_threads()},
          {"channel", channel.configuration()},
          {"observations", config.train.data.observations},
          {"observations_sha256", sha256_file(config.train.data.observations)}};
}

/// One progress line at a time: a new one begins whenever the total or the phase changes.
class TerminalObserver {
 public:
  TrainingObserver observer() {
    TrainingObserver result;
    result.message = [this](const std::string& text) {
      bar_.reset();
      fmt::print(stderr, "{}\n", text);
    };
    result.progress = [this](std::int64_t step, std::int64_t total, const std::string& note) {
      const bool start = note == "linear start";
      if (!bar_ || start != start_) bar_.emplace(start ? "start" : "train", total);
      start_ = start;
      bar_->update(step, note);
      if (step == total) bar_->finish();
    };
    result.stop_requested = stop_requested;
    return result;
  }

 private:
  std::optional<Progress> bar_;
  bool start_ = false;
};

/// "auto" is decided once, when a run starts: a resumed one must not change its arithmetic.
void settle_precision(RunConfig& config, bool resume, const std::filesystem::path& run) {
  std::string& precision = config.train.model.precision;
  if (precision != "auto") return;
  precision = resume ? read_run_config(run).train.model.precision : native_precision();
}

void train(const TrainArguments& arguments) {
  keep_freed_memory();
  const std::filesystem::path run = arguments.run.empty() ? default_run(arguments.config) : std::filesystem::path(arguments.run);
  RunConfig config = RunConfig::read(arguments.config, arguments.overrides);
  const auto threads =
      config.train.run.threads > 0 ? static_cast<int>(config.train.run.threads) : static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(threads);
  const std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, config.train.data.observations);

  RunFolder folder = arguments.resume ? RunFolder::resume(run) : RunFolder::create(run);
  settle_precision(config, arguments.resume, run);
  if (arguments.resume) {
    check<ConfigError>(read_run_config(run).to_toml() == config.to_toml(),
                       "{}: was started with other settings than {} gives now; compare with {}. Resume with the same settings or start a "
                       "new run.",
                       run.string(), arguments.config, RunFolder::config_path(run).string());
  }
  TerminalObserver terminal;
  Trainer trainer(config.train, *channel, folder, terminal.observer());
  if (arguments.resume && std::filesystem::exists(folder.checkpoint_path())) {
    trainer.resume();
    fmt::print(stderr, "resuming at step {}\n", trainer.step());
  } else {
    folder.write_config(config.to_toml());
    folder.write_provenance(provenance(config, *channel));
    trainer.start();  // without a checkpoint there is nothing to save: a stop may cancel a plugin's call
  }
  const CancellationDeferral deferral;
  trainer.run();
  fmt::print("{}\n", run.string());
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
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical,\n"
      "130/143 stopped, with a checkpoint from the first step on");
  command->callback([arguments] { train(*arguments); });
}

}  // namespace unchannel
