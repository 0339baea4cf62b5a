#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/base/stopwatch.hpp>
#include <unchannel/metrics/consistency_gap.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/gaussian_fit.hpp>
#include <unchannel/scsi/training_batch.hpp>

#include "../posterior_draws.hpp"
#include "commands.hpp"
#include "training.hpp"

// Shape legend: B rows · D signal dimensions flattened
namespace unchannel {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kGapRows = 1024;
constexpr std::uint64_t kStartBlock = 2048;

struct EmArguments {
  std::string config, generator, run, start = "lifted";
  std::vector<std::string> overrides, plugin_folders;
  PosteriorSettings settings;
  std::int64_t rounds = 8;
  bool resume = false;
};

/// What every round needs; a round's files lie in its folder, which is also the run of its generator.
struct Em {
  const EmArguments& arguments;
  RunConfig config, generator;
  std::unique_ptr<Channel> channel;
  DatasetReader observations;
  PosteriorSettings settings;

  fs::path folder(std::int64_t round) const { return fs::path(arguments.run) / fmt::format("round_{:02}", round); }
};

Em open_em(const EmArguments& arguments) {
  RunConfig config = RunConfig::read(arguments.config, arguments.overrides), generator = RunConfig::read(arguments.generator, {});
  check_generator_config(generator, arguments.generator);
  const std::string file = config.train.data.observations;
  check<ConfigError>(!file.empty(), "{}: baseline em draws signals given stored observations; name their file in data.observations.", arguments.config);
  std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, file);
  use_threads(config.train.run);
  PosteriorSettings settings = arguments.settings;
  settings.noise_sigma = noise_sigma_of(*channel, settings.noise_sigma);
  return {arguments, std::move(config), std::move(generator), std::move(channel), DatasetReader(file, DatasetKind::observations), settings};
}

/// Everything that decides the numbers, but for the number of rounds: a resumed run may have more.
nlohmann::json settings_record(Em& em) {
  return {{"config", em.config.to_toml()},
          {"generator", em.generator.to_toml()},
          {"start", em.arguments.start},
          {"guidance", em.settings.guidance},
          {"noise_sigma", em.settings.noise_sigma},
          {"steps", em.settings.steps},
          {"iterations", em.settings.iterations},
          {"key", em.settings.key}};
}

RunFolder open_folder(Em& em) {
  const fs::path run = em.arguments.run, provenance = run / "provenance.json";
  const nlohmann::json record = settings_record(em);
  if (!em.arguments.resume) {
    check<ConfigError>(!fs::exists(em.folder(1)),
                       "{}: already holds rounds. Continue them with --resume, or choose another folder with --run.", run.string());
    RunFolder folder = RunFolder::create(run);
    folder.write_provenance({{"em", record}, {"unchannel_version", UNCHANNEL_VERSION}, {"channel", em.channel->configuration()}});
    folder.write_config(em.config.to_toml());
    return folder;
  }
  RunFolder folder = RunFolder::resume(run);
  std::ifstream in(provenance);
  const nlohmann::json before = nlohmann::json::parse(in, nullptr, /*allow_exceptions=*/false);
  check<ConfigError>(
      before.is_object() && before.value("em", nlohmann::json()) == record,
      "{}: was started with other settings; compare with the member 'em' of {}. Resume with the same settings or start a new "
      "run.",
      run.string(), provenance.string());
  return folder;
}

/// Rounds whose line is in metrics.jsonl, which is written last.
std::int64_t finished_rounds(const RunFolder& folder) {
  std::ifstream in(folder.path() / "metrics.jsonl");
  std::int64_t last = 0;
  for (std::string line; std::getline(in, line);) {
    const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (parsed.is_object()) last = std::max(last, parsed.value("step", std::int64_t{0}));
  }
  return last;
}

/// Draws of a Gaussian fitted to the observations, given each of them.
void write_gaussian_draws(const Em& em, const fs::path& output) {
  const RandomKey key = RandomKey(em.settings.key).derive(Purpose::kStart);
  const TrainSettings& settings = em.config.train;
  Progress bar("gaussian", settings.start.rounds);
  const Observations splits(settings.data, *em.channel, key);
  const GaussianFit fit = GaussianFit::fit(splits, *em.channel, settings.start, key, [&](std::int64_t round) {
    if (stop_requested() != 0) throw InterruptedError("stopped in the Gaussian fit; nothing was written.", stop_requested());
    bar.update(round);
  });
  bar.finish();
  const std::string origin = fmt::format("drawn given {} from a Gaussian fitted to it", em.observations.path().string());
  write_signals(em.observations, *em.channel, output, origin, kStartBlock, [&](std::uint64_t first, std::uint64_t count) {
    const ObservationBatch batch = read_observations(em.observations, *em.channel, first, count);
    return fit.posterior_draw(batch.lifted_BD, key.derive(Purpose::kTransportNoise), batch.row_numbers());
  });
}

void write_round_signals(const Em& em, std::int64_t round, const fs::path& output) {
  if (round > 1) {
    const GeneratorRun before = open_generator(em.folder(round - 1));
    PosteriorSettings settings = em.settings;
    settings.key = RandomKey(em.settings.key).derive(static_cast<std::uint64_t>(round)).value();
    const PosteriorDraws draws(before, *em.channel, settings, em.observations.path().string());
    return draws.write(em.observations, output,
                       fmt::format("drawn given {} by {} with the generator of {}", em.observations.path().string(),
                                   draws.settings().name(), before.name()));
  }
  if (em.arguments.start == "gaussian") return write_gaussian_draws(em, output);
  write_signals(
      em.observations, *em.channel, output, "lifted observations of " + em.observations.path().string(), kStartBlock,
      [&](std::uint64_t first, std::uint64_t count) { return read_observations(em.observations, *em.channel, first, count).lifted_BD; });
}

/// Distance between these signals, observed anew, and other observations.
nlohmann::json gap_of(const Em& em, const fs::path& signals) {
  const DatasetReader reader(signals, DatasetKind::signals);
  const std::uint64_t half = std::min(kGapRows, em.observations.rows() / 2);
  const ObservationBatch own = read_observations(em.observations, *em.channel, 0, half);
  const ObservationBatch others = read_observations(em.observations, *em.channel, half, half);
  const at::Tensor x_BD = read_rows(reader, own.rows);
  const at::Tensor y_BD = simulate_with_sources(*em.channel, x_BD, own.latents, own.latents,
                                                RandomKey(em.settings.key).derive(Purpose::kChannelEvaluation), own.row_numbers(), nullptr);
  const metrics::GapResult gap = metrics::consistency_gap(y_BD, others.lifted_BD, own.lifted_BD);
  return {{"gap_sliced_w2", gap.sliced_w2}, {"gap_excess_relative", gap.relative}, {"gap_energy", gap.energy}};
}

/// Makes RUN/generator a name of the newest round, so that RUN itself can be given to sample and baseline.
void name_generator(const Em& em, std::int64_t round) {
  const fs::path link = fs::path(em.arguments.run) / "generator", part = fs::path(em.arguments.run) / "generator.part";
  std::error_code error;
  fs::remove(part, error);
  fs::create_directory_symlink(em.folder(round).filename(), part, error);
  if (!error) fs::rename(part, link, error);
  check<DataError>(!error, "{}: cannot be written: {}.", link.string(), error.message());
}

void run_round(const Em& em, const RunFolder& folder, std::int64_t round) {
  const Stopwatch watch;
  const fs::path own = em.folder(round), signals = own / "signals.h5";
  std::error_code error;
  fs::create_directories(own, error);
  check<DataError>(!error, "{}: cannot be created: {}.", own.string(), error.message());
  if (!fs::exists(signals)) write_round_signals(em, round, signals);
  RunConfig config = em.generator;
  config.train.data.signals = fs::absolute(signals).lexically_normal().string();
  config.train.run.key += round;
  run_training(config, em.arguments.generator, own, fs::exists(RunFolder::config_path(own)), em.arguments.plugin_folders);
  name_generator(em, round);
  nlohmann::json line = gap_of(em, signals);
  line["step"] = round;
  line["signals"] = round == 1 ? em.arguments.start : em.settings.method;
  line["elapsed_s"] = watch.elapsed_s();
  folder.append_metrics(line);
}

void run_em(const EmArguments& arguments) {
  Em em = open_em(arguments);
  const RunFolder folder = open_folder(em);
  const std::int64_t finished = finished_rounds(folder);
  folder.cut_metrics(finished);  // a line half written by a crash
  for (std::int64_t round = finished + 1; round <= arguments.rounds; ++round) {
    fmt::print(stderr, "round {} of {}\n", round, arguments.rounds);
    run_round(em, folder, round);
  }
  fmt::print("{}\n", arguments.run);
}

}  // namespace

void add_baseline_em_command(CLI::App& baseline) {
  auto arguments = std::make_shared<EmArguments>();
  CLI::App* command =
      baseline.add_subcommand("em", "expectation and maximisation: mmps draws of all observations, a generator of the draws, again");
  command->add_option("config", arguments->config, "TOML configuration: [channel], data.observations and, for a Gaussian start, [start]")
      ->required();
  command->add_option("--generator", arguments->generator, "TOML configuration of the generators; its data and start.file are replaced")
      ->required();
  command->add_option("--run", arguments->run, "folder for the rounds, each a run of its own")->required();
  command->add_option("--rounds", arguments->rounds, "rounds in all (default 8)")->check(CLI::Range(1, 99));
  command
      ->add_option("--start", arguments->start,
                   "signals of the first round: lifted observations (default), or gaussian: draws of a fitted one")
      ->check(CLI::IsMember({"lifted", "gaussian"}));
  command->add_option("--steps", arguments->settings.steps, "steps of a draw (default: the largest divisor up to 256)")
      ->check(CLI::Range(2, 4096));
  command->add_option("--iterations", arguments->settings.iterations, "conjugate gradients in each step, at most (default 8)")
      ->check(CLI::Range(1, 1000));
  command
      ->add_option("--noise-sigma", arguments->settings.noise_sigma,
                   "standard deviation of the white noise (default: what the channel declares)")
      ->check(CLI::PositiveNumber);
  command->add_option("--key", arguments->settings.key, "key of the draws (default 1)");
  command->add_option("--set", arguments->overrides, "override a key of the configuration (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "continue at the last checkpoint of the last round");
  command->footer(
      "Example: unchannel baseline em config.toml --generator generator.toml --run runs/em --rounds 5\n"
      "Then: unchannel baseline mmps config.toml --prior runs/em --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical, 130/143 stopped");
  command->callback([arguments] { run_em(*arguments); });
}

}  // namespace unchannel
