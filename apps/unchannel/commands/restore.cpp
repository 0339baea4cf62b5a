#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <vector>

#include <fmt/ranges.h>

#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/partial_rows.hpp>
#include <unchannel/data/row_shard.hpp>
#include <unchannel/nn/memory.hpp>

#include "../restoration.hpp"
#include "commands.hpp"

namespace unchannel {
namespace {

struct RestoreArguments {
  std::string run, input, output, shard;
  std::vector<std::string> plugin_folders;
  RestorationSettings settings;
  bool resume = false;
};

/// One output file: what is in it and what describes it.
struct Output {
  std::string origin;
  std::string shard;  ///< its attribute; empty for all rows
  RowShard range;
  std::vector<std::uint64_t> row_shape;
};

Output output_of(const RestoreArguments& arguments, const Restoration& restoration, const std::string& task_hash) {
  const RowShard range = RowShard::parse(arguments.shard, restoration.observations().rows(), restoration.block_rows());
  return {restoration.origin(), arguments.shard.empty() ? "" : range.describe(task_hash), range, restoration.row_shape()};
}

/// Whether the output is there and is what this command would write. Another file of that name is refused rather than taken for it.
bool is_complete(const RestoreArguments& arguments, const Output& output) {
  if (!arguments.resume || !std::filesystem::exists(arguments.output)) return false;
  const DatasetReader written(arguments.output, DatasetKind::signals);
  const auto described = [](const std::string& from, std::uint64_t count, const std::vector<std::uint64_t>& shape, const std::string& shard) {
    return fmt::format("\"{}\", [{}, {}]{}{}", from, count, fmt::join(shape, ", "), shard.empty() ? "" : ", shard ", shard);
  };
  const std::string found = described(written.attribute("origin"), written.rows(), written.row_shape(), written.attribute("shard"));
  const std::string wanted = described(output.origin, output.range.end - output.range.begin, output.row_shape, output.shard);
  check<ConfigError>(found == wanted,
                     "restore --resume: {} exists and is another result: {}; this command would write {}. Name another --output, or leave "
                     "--resume out to replace it.",
                     arguments.output, found, wanted);
  return true;
}

/// The output without its rows: what can be read and written of it is known before the work.
DatasetWriter begin_output(const RestoreArguments& arguments, const Restoration& restoration, const Output& output) {
  DatasetWriter writer(arguments.output, DatasetKind::signals, output.row_shape);
  copy_metadata(restoration.observations(), output.range.begin, output.range.end - output.range.begin, writer);
  writer.set_attribute("origin", output.origin);
  if (!output.shard.empty()) writer.set_attribute("shard", output.shard);
  if (const std::string omission = restoration.omission(); !omission.empty()) writer.set_attribute("uncertainty", omission);
  return writer;
}

void restore_rows(const Restoration& restoration, const RowShard& range, PartialRows& finished, const std::filesystem::path& partial) {
  const std::uint64_t total = range.end - range.begin, block = restoration.block_rows();
  Progress bar("restore", static_cast<std::int64_t>(total));
  bar.update(static_cast<std::int64_t>(finished.rows()));
  while (finished.rows() < total) {
    if (const int signal = stop_requested(); signal != 0) {
      finished.sync();
      throw InterruptedError(fmt::format("stopped by signal {} after {} of {} rows; they are kept in {}, continue with --resume.", signal,
                                         finished.rows(), total, partial.string()),
                             signal);
    }
    const std::uint64_t first = range.begin + finished.rows();
    const Restoration::Block rows = restoration.rows(first, std::min(block - first % block, range.end - first));
    finished.append({rows.values_BV.const_data_ptr<float>(), static_cast<std::size_t>(rows.values_BV.numel())}, rows.failed);
    bar.update(static_cast<std::int64_t>(finished.rows()));
  }
  bar.finish();
}

/// Mean and inverse variance, [B, 2, D], in the words of any data file: /signals and /ivar.
void append_summary(DatasetWriter& writer, std::span<const float> values, std::size_t row_size) {
  std::vector<float> mean, ivar;
  for (; !values.empty(); values = values.subspan(row_size)) {
    const auto half = values.begin() + static_cast<std::ptrdiff_t>(row_size / 2);
    mean.insert(mean.end(), values.begin(), half);
    ivar.insert(ivar.end(), half, values.begin() + static_cast<std::ptrdiff_t>(row_size));
  }
  writer.append(mean);
  writer.append_ivar(ivar);
}

void write_output(DatasetWriter writer, const PartialRows& finished, const Restoration& restoration) {
  finished.for_each_block([&](std::span<const float> values) {
    restoration.summary() ? append_summary(writer, values, restoration.row_size()) : writer.append(values);
  });
  if (finished.failed() > 0) {
    fmt::print(stderr, "{} observations could not be brought to the signal's space by the channel's lift; their rows hold zeros.\n", finished.failed());
    writer.set_attribute("failed_count", std::to_string(finished.failed()));
  }
  writer.close();
}

void restore(const RestoreArguments& arguments) {
  keep_freed_memory();
  refuse_same_file("--output", arguments.output, {arguments.input});
  const Restoration restoration(arguments.run, arguments.input, arguments.plugin_folders, arguments.settings);
  nlohmann::json task = restoration.task();
  const Output output = output_of(arguments, restoration, sha256_text(task.dump()));
  if (is_complete(arguments, output)) {
    std::error_code ignored;  // of a process that was killed between its last two steps
    std::filesystem::remove(PartialRows::path_of(arguments.output), ignored);
    fmt::print("{} exists and is complete\n", arguments.output);
    return;
  }
  begin_output(arguments, restoration, output);  // a column that cannot be read costs nothing now
  task["rows"] = {output.range.begin, output.range.end};
  PartialRows finished(arguments.output, task, restoration.row_size(), arguments.resume);
  restore_rows(restoration, output.range, finished, PartialRows::path_of(arguments.output));
  write_output(begin_output(arguments, restoration, output), finished, restoration);
  finished.remove();
  if (const std::string omission = restoration.omission(); !omission.empty()) fmt::print(stderr, "{}\n", omission);
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
  command->add_option("--shard", arguments->shard, "restore part i of n of the rows, e.g. 2/8; `unchannel join` makes one file of all");
  command->add_option("--key", arguments->settings.key, "key of the random numbers");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->add_flag("--resume", arguments->resume, "continue from the rows that a stopped call left; leave a complete output as it is");
  command->add_flag("--posterior", arguments->settings.posterior,
                    "draws of the posterior, by the run's sampler (`unchannel posterior`) or, with epsilon_schedule = posterior, by its SDE");
  command->add_flag("--summary", arguments->settings.summary, "with --posterior: write mean and inverse variance of the draws, not the draws");
  command->add_option("--ensemble", arguments->settings.ensemble, "with --posterior: a run with another run.key, to share the draws with (repeatable)")
      ->allow_extra_args(false);
  command->add_flag("--cross-fit", arguments->settings.cross_fit, "training observations of a committee: each by the member that has not learnt from it");
  command->add_flag("--one-call", arguments->settings.one_call,
                    "one network call: the transport after `unchannel distil`; with --posterior the posterior's mean");
  command->footer(
      "Example: unchannel restore runs/demo --input observed.h5 --output restored.h5\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 130/143 stopped: finished rows are kept for --resume");
  command->callback([arguments] { restore(*arguments); });
}

}  // namespace unchannel
