#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/sha256.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/scsi/observations.hpp>
#include <unchannel/tensor/channel_factory.hpp>

#include "../run_config.hpp"
#include "commands.hpp"

// Shape legend: B batch · D signal dimensions flattened · M observation dimensions flattened
namespace unchannel {
namespace {

struct SimulateArguments {
  std::string config, input, output, latents;
  std::vector<std::string> overrides, plugin_folders;
  std::uint64_t key = 0;
  std::uint64_t first_index = 0;
};

std::vector<std::uint64_t> unsigned_shape(const std::vector<std::int64_t>& shape) { return {shape.begin(), shape.end()}; }

/// Latents that the channel does not draw itself: the signals' own rows, or, from a file given with --latents, a row drawn at
/// random for each id.
Latents read_latents(const DatasetReader& signals, const DatasetReader* survey, const Channel& channel, RandomKey key,
                     std::uint64_t first, std::uint64_t count, std::uint64_t first_id) {
  std::vector<std::uint64_t> rows(count);
  const RandomKey row_key = key.derive(Purpose::kMixture);
  for (std::uint64_t i = 0; i < count; ++i) rows[i] = survey ? row_key.bits(first_id + i, 0) % survey->rows() : first + i;
  const DatasetReader& source = survey ? *survey : signals;
  Latents given;
  for (const LatentSpec& spec : channel.latents()) {
    if (spec.source == LatentSource::kFresh) continue;
    given.emplace(spec.name, latent_tensor(source.read_latent(spec.name, rows), static_cast<std::int64_t>(count), spec));
  }
  return given;
}

void write_latent(DatasetWriter& writer, const std::string& name, const at::Tensor& values) {
  const at::Tensor rows = values.contiguous();
  const std::vector<std::uint64_t> shape(rows.sizes().begin() + 1, rows.sizes().end());
  const auto size = static_cast<std::size_t>(rows.numel());
  switch (rows.scalar_type()) {
    case at::kInt:
      return writer.append_latent(name, shape, std::span(rows.const_data_ptr<std::int32_t>(), size));
    case at::kLong:
      return writer.append_latent(name, shape, std::span(rows.const_data_ptr<std::int64_t>(), size));
    default:
      return writer.append_latent(name, shape, std::span(rows.const_data_ptr<float>(), size));
  }
}

nlohmann::json provenance(const SimulateArguments& arguments, const Channel& channel) {
  return {{"command", "simulate"},         {"unchannel_version", UNCHANNEL_VERSION},
          {"git", UNCHANNEL_GIT_REVISION}, {"channel", channel.configuration()},
          {"input", arguments.input},      {"input_sha256", sha256_file(arguments.input)},
          {"key", arguments.key},          {"first_index", arguments.first_index}};
}

/// The [channel] table of a training configuration; its other tables are checked but not used.
ChannelSettings read_channel_settings(const SimulateArguments& arguments) {
  return RunConfig::read(arguments.config, arguments.overrides).channel;
}

void simulate(const SimulateArguments& arguments) {
  refuse_same_file("--output", arguments.output, {arguments.config, arguments.input, arguments.latents});
  const ChannelSettings settings = read_channel_settings(arguments);
  const DatasetReader reader(arguments.input, DatasetKind::signals);
  const auto log = [](std::int32_t level, std::string_view from, std::string_view text) {
    if (level >= UNCHANNEL_LOG_WARNING) fmt::print(stderr, "{}: {}\n", from, text);
  };
  const std::unique_ptr<Channel> channel = open_channel(settings, arguments.plugin_folders, reader, log);
  const RandomKey key(arguments.key);
  std::optional<DatasetReader> survey;
  if (!arguments.latents.empty()) survey.emplace(arguments.latents);
  DatasetWriter writer(arguments.output, DatasetKind::observations, unsigned_shape(channel->observation_shape()));
  copy_metadata(reader, 0, reader.rows(), writer);  // before the work: a column that cannot be read costs nothing then

  constexpr std::uint64_t kBlockBytes = std::uint64_t{16} << 20;
  const std::uint64_t block = std::max<std::uint64_t>(1, kBlockBytes / (sizeof(float) * reader.dim()));
  Progress bar("simulate", static_cast<std::int64_t>(reader.rows()));
  std::vector<FailedSample> failed;
  for (std::uint64_t first = 0; first < reader.rows(); first += block) {
    if (stop_requested() != 0) throw InterruptedError(arguments.output + ": interrupted; nothing was written.", stop_requested());
    const std::uint64_t count = std::min(block, reader.rows() - first);
    const auto B = static_cast<std::int64_t>(count);
    at::Tensor x_BD = at::empty({B, static_cast<std::int64_t>(reader.dim())}, at::kFloat);
    reader.read_rows(first, count, std::span(x_BD.mutable_data_ptr<float>(), static_cast<std::size_t>(x_BD.numel())));
    // The id of a sample is its row plus --first-index, whatever the block: parts of a file can be simulated separately.
    const auto first_id = static_cast<std::int64_t>(arguments.first_index + first);
    const at::Tensor ids_B = at::arange(first_id, first_id + B, at::kLong);
    const Latents given = read_latents(reader, survey ? &*survey : nullptr, *channel, key, first, count, arguments.first_index + first);
    Latents used;
    const at::Tensor y_BM = measure(*channel, x_BD, given, key, ids_B, &used);
    writer.append(std::span(y_BM.const_data_ptr<float>(), static_cast<std::size_t>(y_BM.numel())));
    for (const auto& [name, values] : used) write_latent(writer, name, values);
    for (FailedSample& sample : channel->take_failed_samples()) failed.push_back(std::move(sample));
    bar.update(static_cast<std::int64_t>(first + count));
  }
  nlohmann::json record = provenance(arguments, *channel);
  // The attribute must stay below HDF5's 64 KiB: the count is complete, the list its beginning.
  constexpr std::size_t kListed = 200;
  record["failed_count"] = failed.size();
  record["failed_samples"] = nlohmann::json::array();
  for (std::size_t i = 0; i < std::min(failed.size(), kListed); ++i) {
    record["failed_samples"].push_back({{"id", failed[i].id}, {"reason", failed[i].reason}});
  }
  writer.set_attribute("provenance", json_text(record));
  writer.close();
  bar.finish();
  if (!failed.empty()) {
    fmt::print(stderr,
               "{} samples failed in the channel; their rows are zero and their number is in the provenance. The first: sample {}: {}.\n",
               failed.size(), failed[0].id, failed[0].reason);
  }
}

}  // namespace

void add_simulate_command(CLI::App& app) {
  auto arguments = std::make_shared<SimulateArguments>();
  CLI::App* command = app.add_subcommand("simulate", "run the channel of a configuration over a file of signals");
  command->add_option("config", arguments->config, "TOML configuration; its [channel] table is used")->required();
  command->add_option("--input", arguments->input, "HDF5 file with signals")->required();
  command->add_option("--output", arguments->output, "HDF5 file to write: observations, latents, ids")->required();
  command->add_option("--latents", arguments->latents,
                      "HDF5 file, e.g. an imported survey, whose /latents rows are drawn at random for each signal");
  command->add_option("--key", arguments->key, "key of every random number: same key and index, same observation")->required();
  command->add_option("--first-index", arguments->first_index, "global index of the first row (default 0)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set channel.parameters.snr_min=3 (repeatable)")
      ->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "Example: unchannel simulate configs/quasar/demo.toml --input signals.h5 --output observations.h5 --key 7\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 130/143 stopped, nothing written");
  command->callback([arguments] { simulate(*arguments); });
}

}  // namespace unchannel
