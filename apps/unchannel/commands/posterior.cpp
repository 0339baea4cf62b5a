#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/nn/memory.hpp>
#include <unchannel/posterior/calibration.hpp>
#include <unchannel/posterior/sampler_trainer.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/observations.hpp>

#include "../sampler_run.hpp"
#include "commands.hpp"
#include "terminal_observer.hpp"
#include "training.hpp"

// Shape legend: B rows · S draws · D signal dimensions flattened
namespace unchannel {
namespace {

constexpr const char* kSignalsFile = "signals.h5";

struct PosteriorArguments {
  std::string run;
  std::vector<std::string> overrides, plugin_folders;
  bool resume = false;
};

void stop_if_requested(const char* what) {
  if (const int signal = stop_requested(); signal != 0) {
    throw InterruptedError(fmt::format("stopped by signal {} while {}; continue with --resume.", signal, what), signal);
  }
}

/// The file of signals to learn from; written where the run's own restorations are asked for and not there yet.
std::filesystem::path learnt_signals(const SamplerConfig& config, const TrainedModel& trained, const RunConfig& run_config, const Channel& channel,
                                     const std::filesystem::path& folder) {
  if (!config.posterior.signals.empty()) return config.posterior.signals;
  const std::filesystem::path path = folder / kSignalsFile;
  if (std::filesystem::exists(path)) return path;
  const TrainSettings& train = run_config.train;
  const Observations observations(train.data, channel, RandomKey(static_cast<std::uint64_t>(train.run.key)));
  const std::int64_t rows = config.posterior.rows > 0 ? std::min(config.posterior.rows, observations.training_rows()) : observations.training_rows();
  Progress bar("learnt signals", rows);
  write_learnt_signals(path, trained, channel, observations, train, rows, [&](std::int64_t done) {
    stop_if_requested("restoring the training observations");
    bar.update(done);
  });
  bar.finish();
  return path;
}

/// Draws given simulated observations of the held-out signals. Throws InterruptedError.
Calibration calibrate(const TrainedSampler& sampler, const TrainedModel& run, const SamplerConfig& config, const Channel& channel, const LearntSignals& signals) {
  constexpr std::int64_t kBlockRows = 256;
  const at::NoGradGuard no_grad;
  const RandomKey key = RandomKey(static_cast<std::uint64_t>(config.run.train.run.key)).derive(Purpose::kSignalPrior).derive(Purpose::kChannelEvaluation);
  LearntSignals::Rows rows = signals.held_out();
  const std::int64_t count = rows.x_BD.size(0);
  SimulatedPairs pairs = simulate_pairs(sampler.model, run, channel, rows, rows.latents, key, at::arange(count, at::kLong));
  if (pairs.weight_S.defined()) {
    const at::Tensor valid = pairs.weight_S.nonzero().squeeze(1);
    pairs = {pairs.x_SD.index_select(0, valid), pairs.evidence.rows(valid), {}, {}};
  }
  DrawOptions options;
  options.samples = config.posterior.calibration_samples;
  options.steps = config.posterior.solver_steps;
  options.key = key.derive(Purpose::kTransportNoise);
  CalibrationCollector collector(pairs.x_SD, options.samples);
  Progress bar("calibration", pairs.x_SD.size(0));
  const std::int64_t block = std::min(kBlockRows, config.run.train.transport.batch);
  for (std::int64_t begin = 0; begin < pairs.x_SD.size(0); begin += block) {
    stop_if_requested("measuring the calibration");
    const at::Tensor ids_B = at::arange(begin, std::min(begin + block, pairs.x_SD.size(0)), at::kLong);
    collector.add(begin, posterior_draws(sampler, pairs.evidence.rows(ids_B), ids_B, options));
    bar.update(begin + ids_B.size(0));
  }
  bar.finish();
  return collector.result();
}

void print_calibration(const Calibration& c) {
  fmt::print(
      "on {} simulated pairs that were not learnt, {} draws each: 50 % intervals hold {:.1f} ± {:.1f} %, 90 % intervals {:.1f} ± {:.1f} %;\n"
      "p-values of uniform ranks: {:.2g} along principal directions, {:.2g} in single elements, {:.2g} of TARP\n"
      "intervals are those of the learnt prior; its own uncertainty is not in them\n",
      c.pairs, c.samples, 100 * c.coverage_50.value, 100 * c.coverage_50.standard_error, 100 * c.coverage_90.value, 100 * c.coverage_90.standard_error,
      c.directions.p_value, c.elements.p_value, c.tarp.p_value);
}

void train_sampler(const PosteriorArguments& arguments) {
  keep_freed_memory();
  const std::filesystem::path run = arguments.run, path = sampler_folder(run);
  const RunConfig run_config = read_run_config(run);
  check<ConfigError>(run_config.channel.id != "noise", "{}: is a generator; a posterior needs the run of a measurement process.", run.string());
  SamplerConfig config = SamplerConfig::read(RunFolder::config_path(run), arguments.overrides);
  use_threads(config.run.train.run);
  const std::unique_ptr<Channel> channel = open_channel(run_config, arguments.plugin_folders, run_config.train.data.file());
  const TrainedModel trained = open_trained_model(run, run_config.train.model, run_config.train.interpolant);
  // The run has decided "auto"; a sampler that asks for it anew would resume with other arithmetic on another machine.
  check<ConfigError>(config.run.train.model.precision != "auto", "model.precision = \"auto\": name the sampler's arithmetic, float32 or bfloat16.");
  RunFolder folder = arguments.resume ? RunFolder::resume(path) : RunFolder::create(path);
  if (arguments.resume) {
    check<ConfigError>(SamplerConfig::read(RunFolder::config_path(path), {}).to_toml() == config.to_toml(),
                       "{}: was begun with other settings; give the same --set again, or remove that folder and start anew.", path.string());
    check_sampler_origin(run, *channel);
  } else {
    std::filesystem::remove(path / kSignalsFile);  // of a start that failed: the run may have gone on since
    folder.write_config(config.to_toml());
    nlohmann::json facts = sampler_origin(run, *channel);
    facts.update({{"unchannel_version", UNCHANNEL_VERSION}, {"git", UNCHANNEL_GIT_REVISION}, {"run", std::filesystem::absolute(run).string()}});
    if (!config.posterior.signals.empty()) facts["signals_sha256"] = sha256_file(config.posterior.signals);
    folder.write_provenance(facts);
  }
  const RandomKey key(static_cast<std::uint64_t>(config.run.train.run.key));
  const LearntSignals signals(learnt_signals(config, trained, run_config, *channel, path), *channel, config.posterior.held_out_rows,
                              config.run.train.data.buffer_mib, key.derive(Purpose::kSignalPrior));
  {
    TerminalObserver terminal;
    SamplerTrainer trainer(config.run.train, config.posterior, trained, *channel, signals, folder, terminal.observer());
    if (arguments.resume && std::filesystem::exists(folder.checkpoint_path())) {
      trainer.resume();
      fmt::print(stderr, "resuming at step {}\n", trainer.step());
    } else {
      trainer.start();
    }
    const CancellationDeferral deferral;
    trainer.run();
  }
  const Calibration calibration = calibrate(open_trained_sampler(path, config.run.train.model), trained, config, *channel, signals);
  write_file_atomically(path / "calibration.json", json_text(to_json(calibration), 2) + "\n");
  print_calibration(calibration);
  fmt::print("{}\n", path.string());
}

}  // namespace

void add_posterior_command(CLI::App& app) {
  auto arguments = std::make_shared<PosteriorArguments>();
  CLI::App* command = app.add_subcommand("posterior", "train a run's posterior sampler and measure its calibration");
  command->add_option("run", arguments->run, "run folder of a finished training; the sampler goes to its folder posterior/")->required();
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set posterior.steps=8000 (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "continue from the sampler's last checkpoint");
  command->footer(
      "Example: unchannel posterior runs/demo && unchannel restore runs/demo --posterior --samples 64 --input observed.h5 --output draws.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped, with a checkpoint");
  command->callback([arguments] { train_sampler(*arguments); });
}

}  // namespace unchannel
