#include <ATen/ops/arange.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <unchannel/base/error.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/run/run_folder.hpp>

#include "../generator_run.hpp"
#include "commands.hpp"

// Shape legend: B rows of a block · D signal dimensions flattened
namespace unchannel {
namespace {

struct SampleArguments {
  std::string run, output;
  std::int64_t count = 0, steps = 0;
  std::uint64_t key = 1;
};

void append_block(DatasetWriter& writer, const at::Tensor& x_BD, std::int64_t first) {
  check<NumericalError>(x_BD.isfinite().all().item<bool>(),
                        "sample: signals {} to {} are not finite; nothing was written. Train the generator further, or with a smaller "
                        "optimiser.learning_rate.",
                        first, first + x_BD.size(0) - 1);
  const at::Tensor rows = x_BD.contiguous();
  writer.append({rows.const_data_ptr<float>(), static_cast<std::size_t>(rows.numel())});
  std::vector<std::int64_t> ids(static_cast<std::size_t>(x_BD.size(0)));
  for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = first + static_cast<std::int64_t>(i);
  writer.append_object_ids(ids);
}

void sample(const SampleArguments& arguments) {
  const GeneratorRun generator = open_generator(arguments.run);
  refuse_same_file("--output", arguments.output, {RunFolder::checkpoint_path(generator.path), RunFolder::config_path(generator.path)});
  const DriftModel& model = generator.trained.model;
  Integration how = generator.config.train.transport.in_restoration();
  how.steps = 1;
  how.steps = sampling_steps(arguments.steps, generator.levels(), how.grid(model.interpolant().stochastic()));
  DatasetWriter writer(arguments.output, DatasetKind::signals, {model.signal_shape().begin(), model.signal_shape().end()});
  writer.set_attribute(
      "origin", fmt::format("drawn by the generator of {}: {} {} steps, key {}", generator.name(), how.steps, how.solver, arguments.key));
  const RandomKey key(arguments.key);
  Progress bar("sample", arguments.count);
  for (std::int64_t first = 0; first < arguments.count; first += how.batch) {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(
          fmt::format("stopped by signal {} after {} of {} signals; nothing was written.", signal, first, arguments.count), signal);
    }
    const at::Tensor ids_B = at::arange(first, std::min(first + how.batch, arguments.count), at::kLong);
    const at::Tensor z_BD = normal_rows(key.derive(Purpose::kSignalPrior), ids_B, model.normalisation().mean_D.size(0));
    append_block(writer, model.transport(*generator.trained.network, z_BD, {}, how, key.derive(Purpose::kTransportNoise), ids_B), first);
    bar.update(first + ids_B.size(0));
  }
  bar.finish();
  writer.close();
  fmt::print("{}\n", arguments.output);
}

}  // namespace

void add_sample_command(CLI::App& app) {
  auto arguments = std::make_shared<SampleArguments>();
  CLI::App* command = app.add_subcommand("sample", "draw new signals from a generator, a run of the channel 'noise'");
  command->add_option("run", arguments->run, "run folder of a generator, or one that has it in its folder generator/")->required();
  command->add_option("--count", arguments->count, "signals to draw")
      ->required()
      ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 40));
  command->add_option("--output", arguments->output, "HDF5 file to write /signals to")->required();
  command->add_option("--key", arguments->key, "key of the random numbers (default 1); signal i is the same for any count");
  command->add_option("--steps", arguments->steps, "solver steps, a divisor of interpolant.time_levels (default: the largest up to 256)")
      ->check(CLI::Range(1, 4096));
  command->footer(
      "Example: unchannel sample runs/generator --count 10000 --output new.h5\n"
      "Exit codes: 0 done, 2 configuration or no generator, 4 data or disk, 5 numerical, 130/143 stopped");
  command->callback([arguments] { sample(*arguments); });
}

}  // namespace unchannel
