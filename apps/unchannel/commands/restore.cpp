#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <memory>

#include <fmt/ranges.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/nn/memory.hpp>
#include <unchannel/scsi/distillation.hpp>
#include <unchannel/scsi/observations.hpp>
#include <unchannel/scsi/trained_model.hpp>

#include "../run_config.hpp"
#include "commands.hpp"

namespace unchannel {
namespace {

struct RestoreArguments {
  std::string run, input, output, shard;
  std::vector<std::string> plugin_folders;
  std::int64_t samples = 1;
  std::int64_t key = 1;
  bool resume = false;
  bool posterior = false;
  bool one_call = false;
};

struct RowRange {
  std::uint64_t begin, end;
};

/// "i/n" with 1 ≤ i ≤ n: the i-th of n nearly equal parts of the rows.
RowRange rows_of_shard(const std::string& shard, std::uint64_t rows) {
  if (shard.empty()) return {0, rows};
  const auto slash = shard.find('/');
  unsigned long long part = 0, parts = 0;
  try {
    part = std::stoull(shard.substr(0, slash));
    parts = slash == std::string::npos ? 0 : std::stoull(shard.substr(slash + 1));
  } catch (const std::exception&) {
    parts = 0;
  }
  check<ConfigError>(parts >= 1 && part >= 1 && part <= parts, "--shard {}: must be i/n with 1 ≤ i ≤ n, e.g. 2/8.", shard);
  check<ConfigError>(parts <= rows, "--shard {}: {} parts of {} rows would leave parts without any. Use {} parts at most.", shard, parts,
                     rows, rows);
  return {(part - 1) * rows / parts, part * rows / parts};
}

/// Whether the output is there and is what this command would write. Another file of that name is refused rather than taken for it.
bool is_complete(const RestoreArguments& arguments, const std::string& origin, std::uint64_t rows,
                 const std::vector<std::uint64_t>& row_shape) {
  if (!arguments.resume || !std::filesystem::exists(arguments.output)) return false;
  const DatasetReader written(arguments.output, DatasetKind::signals);
  const auto described = [](const std::string& from, std::uint64_t count, const std::vector<std::uint64_t>& shape) {
    return fmt::format("\"{}\", [{}, {}]", from, count, fmt::join(shape, ", "));
  };
  const std::string found = described(written.attribute("origin"), written.rows(), written.row_shape());
  const std::string wanted = described(origin, rows, row_shape);
  check<ConfigError>(found == wanted,
                     "restore --resume: {} exists and is another result: {}; this command would write {}. Name another --output, or leave "
                     "--resume out to replace it.",
                     arguments.output, found, wanted);
  return true;
}

void restore(const RestoreArguments& arguments) {
  keep_freed_memory();
  refuse_same_file("--output", arguments.output, {arguments.input});
  const RunConfig config = read_run_config(arguments.run);
  const TrainSettings& settings = config.train;
  check<ConfigError>(!arguments.posterior || settings.interpolant.epsilon_schedule == "posterior",
                     "restore --posterior: this run has no posterior sampler; a restoration is one transport of the observation, not a draw "
                     "from a Bayes posterior. Leave --posterior out; or, for a channel that adds white noise only, train with "
                     "interpolant.epsilon_schedule = \"posterior\".");
  check<ConfigError>(arguments.samples == 1 || Interpolant(settings.interpolant).stochastic(),
                     "restore --samples {}: the ODE transport is deterministic, every sample would be the same. Train with "
                     "interpolant.epsilon > 0 or leave --samples out.",
                     arguments.samples);
  const std::unique_ptr<Channel> channel = open_channel(config, arguments.plugin_folders, arguments.input);
  const TrainedModel trained = open_trained_model(arguments.run, settings.model, settings.interpolant);
  check_signal_shape(*channel, trained, arguments.run, arguments.input);
  const std::unique_ptr<Network> short_cut = arguments.one_call ? open_one_call(arguments.run, trained) : nullptr;
  const DatasetReader reader(arguments.input, DatasetKind::observations);
  const RowRange range = rows_of_shard(arguments.shard, reader.rows());
  const std::string origin = fmt::format("restored from {} by run {} at step {}{}", arguments.input, arguments.run, trained.step,
                                         arguments.one_call ? ", one call" : "");
  std::vector<std::uint64_t> row_shape;
  if (arguments.samples > 1) row_shape.push_back(static_cast<std::uint64_t>(arguments.samples));
  for (const std::int64_t size : channel->signal_shape()) row_shape.push_back(static_cast<std::uint64_t>(size));
  if (is_complete(arguments, origin, range.end - range.begin, row_shape)) {
    fmt::print("{} exists and is complete\n", arguments.output);
    return;
  }
  DatasetWriter writer(arguments.output, DatasetKind::signals, row_shape);
  copy_metadata(reader, range.begin, range.end - range.begin, writer);  // before the work: a column that cannot be read costs nothing then
  writer.set_attribute("origin", origin);
  Progress bar("restore", static_cast<std::int64_t>(range.end - range.begin));
  const auto block = static_cast<std::uint64_t>(settings.transport.batch);
  std::int64_t failed = 0;
  for (std::uint64_t begin = range.begin; begin < range.end; begin += block) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {} after {} of {} rows; nothing was written.", signal, begin - range.begin,
                                         range.end - range.begin),
                             signal);
    }
    const ObservationBatch batch = read_observations(reader, *channel, begin, std::min(begin + block, range.end) - begin);
    if (batch.weight_B.defined()) failed += batch.weight_B.eq(0).sum().item<std::int64_t>();
    std::vector<at::Tensor> draws;
    for (std::int64_t sample = 0; sample < arguments.samples; ++sample) {
      const RandomKey key = RandomKey(static_cast<std::uint64_t>(arguments.key)).derive(Purpose::kTransportNoise).derive(static_cast<std::uint64_t>(sample));
      const at::Tensor ids = at::arange(static_cast<std::int64_t>(begin), static_cast<std::int64_t>(begin) + batch.lifted_BD.size(0), at::kLong);
      if (short_cut) {
        draws.push_back(one_call(trained.model, *short_cut, batch.lifted_BD, batch.latents, settings.transport.batch));
        continue;
      }
      draws.push_back(trained.model.transport(*trained.network, batch.lifted_BD, batch.latents, settings.transport.in_restoration(), key, ids));
    }
    at::Tensor restored = at::stack(draws, 1).contiguous();
    if (batch.weight_B.defined()) restored.masked_fill_(batch.weight_B.eq(0).view({-1, 1, 1}), 0.0);
    writer.append({restored.data_ptr<float>(), static_cast<std::size_t>(restored.numel())});
    bar.update(static_cast<std::int64_t>(begin - range.begin) + batch.lifted_BD.size(0));
  }
  bar.finish();
  if (failed > 0) {
    fmt::print(stderr, "{} observations could not be brought to the signal's space by the channel's lift; their rows hold zeros.\n", failed);
    writer.set_attribute("failed_count", std::to_string(failed));
  }
  writer.close();
  fmt::print("{}\n", arguments.output);
}

}  // namespace

void add_restore_command(CLI::App& app) {
  auto arguments = std::make_shared<RestoreArguments>();
  CLI::App* command = app.add_subcommand("restore", "restore observations with a trained run");
  command->add_option("run", arguments->run, "run folder of a training")->required();
  command->add_option("--input", arguments->input, "HDF5 file with /observations")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write /signals to")->required();
  command->add_option("--samples", arguments->samples, "transport samples of each observation (SDE runs)")->check(CLI::Range(1, 100000));
  command->add_option("--shard", arguments->shard, "restore part i of n of the rows, e.g. 2/8");
  command->add_option("--key", arguments->key, "key of the random numbers (SDE runs)");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "leave an output that is already complete as it is");
  command->add_flag("--posterior", arguments->posterior, "insist on posterior draws: runs whose interpolant.epsilon_schedule is posterior");
  command->add_flag("--one-call", arguments->one_call, "one network call instead of the whole transport; needs `unchannel distil` before");
  command->footer(
      "Example: unchannel restore runs/demo --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 130/143 stopped");
  command->callback([arguments] { restore(*arguments); });
}

}  // namespace unchannel
