#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include <fmt/ranges.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/scsi/cost_estimate.hpp>
#include <unchannel/scsi/recovery.hpp>
#include <unchannel/scsi/trial.hpp>

#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kShownDirections = 10;

struct PlanArguments {
  std::string config, json;
  std::vector<std::string> overrides, plugin_folders;
};

/// Everything the command prints.
struct Plan {
  RunConfig config;
  std::unique_ptr<Channel> channel;
  std::uint64_t file_rows = 0;
  TrialResult trial;
  CostEstimate cost;
  std::optional<Recovery> recovery;
};

Plan make_plan(const PlanArguments& arguments) {
  Plan plan;
  plan.config = RunConfig::read(arguments.config, arguments.overrides);
  const TrainSettings& train = plan.config.train;
  use_threads(train.run);
  plan.channel = open_channel(plan.config, arguments.plugin_folders, train.data.file());
  plan.file_rows = DatasetReader(train.data.file()).rows();
  TrainingObserver watcher;
  watcher.message = [](const std::string& text) { fmt::print(stderr, "plan: {}\n", text); };
  watcher.stop_requested = stop_requested;
  try {
    plan.trial = run_trial(train, *plan.channel, watcher);
  } catch (const InterruptedError&) {  // its message speaks of a checkpoint, and the trial's is gone
    throw InterruptedError("plan: interrupted; nothing was written.", stop_requested());
  }
  plan.cost = estimate_cost(train, plan.trial);
  if (train.start.kind == "linear" && plan.trial.gaussian) plan.recovery = recovery_of(*plan.trial.gaussian);
  return plan;
}

std::vector<double> numbers(const at::Tensor& values_R) {
  const double* begin = values_R.const_data_ptr<double>();
  return {begin, begin + values_R.numel()};
}

nlohmann::json to_json(const Plan& plan) {
  const TrainSettings& train = plan.config.train;
  const TrialResult& trial = plan.trial;
  const MemoryModel& memory = trial.memory;
  nlohmann::json latents = nlohmann::json::array();
  for (const LatentSpec& spec : plan.channel->latents()) latents.push_back({{"name", spec.name}, {"shape", spec.shape}, {"visible", spec.visible}});
  nlohmann::json json = {
      {"data", {{"file", train.data.file()}, {"file_rows", plan.file_rows}, {"training_rows", trial.training_rows}}},
      {"channel",
       {{"id", plan.channel->id()},
        {"signal_shape", plan.channel->signal_shape()},
        {"observation_shape", plan.channel->observation_shape()},
        {"latents", latents},
        {"sample_s", trial.channel_sample_s}}},
      {"network", {{"family", train.model.family}, {"parameters", trial.parameters}, {"calls", plan.cost.network_calls}}},
      {"memory",
       {{"needed_bytes", memory.total_bytes(sizes_of(train))},
        {"available_bytes", available_memory_bytes()},
        {"network_bytes", memory.network_bytes},
        {"pool_bytes", sizes_of(train).pool * memory.pool_row_bytes},
        {"buffer_bytes", memory.buffer_bytes(sizes_of(train))},
        {"step_bytes", sizes_of(train).batch * memory.step_signal_bytes},
        {"transport_bytes", sizes_of(train).transport_batch * memory.transport_row_bytes}}},
      {"time",
       {{"threads", at::get_num_threads()},
        {"start_s", trial.start_s},
        {"pool_s", plan.cost.pool_s},
        {"step_s", trial.step_s},
        {"step_is_extrapolated", trial.step_extrapolated},
        {"steps", train.scsi.steps},
        {"refresh_s", plan.cost.refresh_s},
        {"refreshes", plan.cost.refreshes},
        {"evaluation_s", plan.cost.evaluation_s},
        {"evaluations", plan.cost.evaluations},
        {"verdict_s", plan.cost.verdict_s},
        {"total_s", plan.cost.total_s}}}};
  if (plan.recovery) {
    json["linear_start"] = {{"signal_variance", numbers(plan.recovery->signal_variance_R)},
                            {"posterior_variance", numbers(plan.recovery->posterior_variance_R)},
                            {"explained_share", numbers(plan.recovery->explained_R)},
                            {"explained_share_of_all", plan.recovery->explained},
                            {"rmse_posterior_mean_data_units", plan.recovery->rmse_posterior_mean},
                            {"rmse_spread_preserving_data_units", plan.recovery->rmse_preserving}};
  }
  return json;
}

void print_channel(const Plan& plan) {
  const TrainSettings& train = plan.config.train;
  fmt::print("data       {}: {} rows, {} for training\n", train.data.file(), plan.file_rows, plan.trial.training_rows);
  fmt::print("channel    {}: signal [{}], observation [{}], {:.3g} ms a sample\n", plan.channel->id(), fmt::join(plan.channel->signal_shape(), ", "),
             fmt::join(plan.channel->observation_shape(), ", "), 1e3 * plan.trial.channel_sample_s);
  for (const LatentSpec& spec : plan.channel->latents()) {
    fmt::print("  latent   {} [{}]{}\n", spec.name, fmt::join(spec.shape, ", "), spec.visible ? ", visible to the network" : "");
  }
}

void print_memory(const Plan& plan) {
  const MemoryModel& memory = plan.trial.memory;
  const TrainingSizes sizes = sizes_of(plan.config.train);
  const std::int64_t available = available_memory_bytes();
  fmt::print("network    {}, {} parameters; weights, gradients and moments {}\n", plan.config.train.model.family, plan.trial.parameters,
             format_bytes(memory.network_bytes));
  fmt::print("memory     {} of {} available: pool {}, shuffling window {}, step {}, transport {}\n", format_bytes(memory.total_bytes(sizes)),
             format_bytes(available), format_bytes(sizes.pool * memory.pool_row_bytes), format_bytes(memory.buffer_bytes(sizes)),
             format_bytes(sizes.batch * memory.step_signal_bytes), format_bytes(sizes.transport_batch * memory.transport_row_bytes));
  const TrainingSizes fit = memory.fitting(sizes, available);
  if (fit == sizes) return;
  if (fit == TrainingSizes{}) {
    fmt::print("           not even a batch of 1 fits\n");
  } else {
    fmt::print("           too much; this would fit: scsi.batch = {}, scsi.pool = {}, transport.batch = {}, data.buffer_mib = {}\n", fit.batch, fit.pool,
               fit.transport_batch, fit.buffer_mib);
  }
}

void print_time(const Plan& plan) {
  const ScsiSettings& scsi = plan.config.train.scsi;
  fmt::print("time       {} with {} threads: start {}, pool {}, {} steps of {:.3g} s{}, {} refreshes of {:.3g} s, {} evaluations of {:.3g} s, verdict {}\n",
             format_duration(plan.cost.total_s), at::get_num_threads(), format_duration(plan.trial.start_s), format_duration(plan.cost.pool_s),
             scsi.steps, plan.trial.step_s, plan.trial.step_extrapolated ? " (extrapolated from smaller batches)" : "", plan.cost.refreshes,
             plan.cost.refresh_s, plan.cost.evaluations, plan.cost.evaluation_s, format_duration(plan.cost.verdict_s));
  fmt::print("calls      {} network calls of {} rows\n", plan.cost.network_calls, scsi.batch * scsi.resamples);
}

void print_recovery(const Recovery& recovery) {
  const std::vector<double> signal = numbers(recovery.signal_variance_R), posterior = numbers(recovery.posterior_variance_R),
                            explained = numbers(recovery.explained_R);
  fmt::print("recovery   {:.1f} % of the fitted Gaussian's variance is determined by one observation\n", 100 * recovery.explained);
  fmt::print("           expected RMSE {:.4g} of its mean given y, {:.4g} of the start, which keeps the spread\n", recovery.rmse_posterior_mean,
             recovery.rmse_preserving);
  fmt::print("           direction   variance    given y   determined\n");
  for (std::size_t i = 0; i < std::min<std::size_t>(signal.size(), kShownDirections); ++i) {
    fmt::print("           {:9}  {:9.3g}  {:9.3g}  {:9.1f} %\n", i + 1, signal[i], posterior[i], 100 * explained[i]);
  }
}

void plan(const PlanArguments& arguments) {
  refuse_same_file("--json", arguments.json, {arguments.config});
  const Plan made = make_plan(arguments);
  print_channel(made);
  print_memory(made);
  print_time(made);
  if (made.recovery) print_recovery(*made.recovery);
  if (!arguments.json.empty()) write_file_atomically(arguments.json, json_text(to_json(made), 2) + "\n");
}

}  // namespace

void add_plan_command(CLI::App& app) {
  auto arguments = std::make_shared<PlanArguments>();
  CLI::App* command = app.add_subcommand("plan", "say what a training will cost and what a linear start can recover, before it runs");
  command->add_option("config", arguments->config, "TOML configuration")->required();
  command->add_option("--json", arguments->json, "file for all figures, units in the keys, every direction");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set scsi.batch=64 (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "Fits the start and runs a few steps, a minute or two; writes nothing but --json.\n"
      "Example: unchannel plan configs/quasar/demo.toml --set run.threads=2\n"
      "Exit codes: 0 done, 2 configuration, 3 plugin, 4 data or disk, 5 numerical or out of memory, 130/143 stopped");
  command->callback([arguments] { plan(*arguments); });
}

}  // namespace unchannel
