#include <ATen/ATen.h>

#include <CLI/CLI.hpp>
#include <memory>

#include <fmt/ranges.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/nn/memory.hpp>
#include <unchannel/scsi/observations.hpp>

#include "../restoration.hpp"
#include "commands.hpp"

namespace unchannel {
namespace {

struct RestoreArguments {
  std::string run, input, output, shard;
  std::vector<std::string> plugin_folders;
  RestorationSettings settings;
  bool resume = false;
  bool summary = false;
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

std::vector<std::uint64_t> row_shape(const RestoreArguments& arguments, const std::vector<std::int64_t>& signal_shape) {
  std::vector<std::uint64_t> shape(signal_shape.begin(), signal_shape.end());
  if (arguments.settings.samples > 1 && !arguments.summary) shape.insert(shape.begin(), static_cast<std::uint64_t>(arguments.settings.samples));
  return shape;
}

std::span<const float> values(const at::Tensor& rows) { return {rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())}; }

/// The draws, or their mean and inverse variance in the words of any data file, /signals and /ivar.
void append(DatasetWriter& writer, const at::Tensor& draws_BSD, bool summary) {
  if (!summary) return writer.append(values(draws_BSD));
  constexpr double kLeastVariance = 1e-30;  // at the border of the known range all draws may be equal
  writer.append(values(draws_BSD.mean(1).contiguous()));
  writer.append_ivar(values(draws_BSD.var(1).clamp_min(kLeastVariance).reciprocal().contiguous()));
}

void restore(const RestoreArguments& arguments) {
  keep_freed_memory();
  refuse_same_file("--output", arguments.output, {arguments.input});
  check<ConfigError>(!arguments.summary || (arguments.settings.posterior && arguments.settings.samples > 1),
                     "restore --summary: mean and variance are those of several posterior draws; add --posterior --samples 64.");
  const Restoration restoration(arguments.run, arguments.input, arguments.plugin_folders, arguments.settings);
  const DatasetReader reader(arguments.input, DatasetKind::observations);
  const RowRange range = rows_of_shard(arguments.shard, reader.rows());
  const std::vector<std::uint64_t> shape = row_shape(arguments, restoration.channel().signal_shape());
  const std::string summary = arguments.summary ? fmt::format(", mean and inverse variance of {} draws", arguments.settings.samples) : "";
  const std::string origin = fmt::format("restored from {} by {}{}", arguments.input, restoration.name(), summary);
  if (is_complete(arguments, origin, range.end - range.begin, shape)) {
    fmt::print("{} exists and is complete\n", arguments.output);
    return;
  }
  DatasetWriter writer(arguments.output, DatasetKind::signals, shape);
  copy_metadata(reader, range.begin, range.end - range.begin, writer);  // before the work: a column that cannot be read costs nothing then
  writer.set_attribute("origin", origin);
  const std::string omission = restoration.omission();
  if (!omission.empty()) writer.set_attribute("uncertainty", omission);
  Progress bar("restore", static_cast<std::int64_t>(range.end - range.begin));
  const std::uint64_t block = restoration.block_rows();
  std::int64_t failed = 0;
  for (std::uint64_t begin = range.begin; begin < range.end; begin += block) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {} after {} of {} rows; nothing was written.", signal, begin - range.begin,
                                         range.end - range.begin),
                             signal);
    }
    const ObservationBatch batch = read_observations(reader, restoration.channel(), begin, std::min(begin + block, range.end) - begin);
    if (batch.weight_B.defined()) failed += batch.weight_B.eq(0).sum().item<std::int64_t>();
    append(writer, restoration.restore(batch), arguments.summary);
    bar.update(static_cast<std::int64_t>(begin - range.begin) + batch.lifted_BD.size(0));
  }
  bar.finish();
  if (failed > 0) {
    fmt::print(stderr, "{} observations could not be brought to the signal's space by the channel's lift; their rows hold zeros.\n", failed);
    writer.set_attribute("failed_count", std::to_string(failed));
  }
  writer.close();
  if (!omission.empty()) fmt::print(stderr, "{}\n", omission);
  fmt::print("{}\n", arguments.output);
}

}  // namespace

void add_restore_command(CLI::App& app) {
  auto arguments = std::make_shared<RestoreArguments>();
  CLI::App* command = app.add_subcommand("restore", "restore observations with a trained run");
  command->add_option("run", arguments->run, "run folder of a training")->required();
  command->add_option("--input", arguments->input, "HDF5 file with /observations")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write /signals to")->required();
  command->add_option("--samples", arguments->settings.samples, "draws of each observation (SDE runs, --posterior)")->check(CLI::Range(1, 100000));
  command->add_option("--shard", arguments->shard, "restore part i of n of the rows, e.g. 2/8");
  command->add_option("--key", arguments->settings.key, "key of the random numbers");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "leave an output that is already complete as it is");
  command->add_flag("--posterior", arguments->settings.posterior,
                    "draws of the posterior, by the run's sampler (`unchannel posterior`) or, with epsilon_schedule = posterior, by its SDE");
  command->add_flag("--summary", arguments->summary, "with --posterior: write mean and inverse variance of the draws, not the draws");
  command->add_option("--ensemble", arguments->settings.ensemble, "with --posterior: a run with another run.key, to share the draws with (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--cross-fit", arguments->settings.cross_fit, "training observations of a committee: each by the member that has not learnt from it");
  command->add_flag("--one-call", arguments->settings.one_call,
                    "one network call: the transport after `unchannel distil`; with --posterior the posterior's mean");
  command->footer(
      "Example: unchannel restore runs/demo --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 130/143 stopped");
  command->callback([arguments] { restore(*arguments); });
}

}  // namespace unchannel
