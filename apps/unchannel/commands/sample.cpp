#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <unchannel/base/output_file.hpp>
#include <unchannel/run/run_folder.hpp>

#include "../generator_run.hpp"
#include "../new_signals.hpp"
#include "commands.hpp"

// Shape legend: B rows of a block · D signal dimensions flattened
namespace unchannel {
namespace {

struct SampleArguments {
  std::string run, output;
  std::int64_t count = 0, steps = 0;
  std::uint64_t key = 1;
};

void sample(const SampleArguments& arguments) {
  const GeneratorRun generator = open_generator(arguments.run);
  refuse_same_file("--output", arguments.output, {RunFolder::checkpoint_path(generator.path), RunFolder::config_path(generator.path)});
  const DriftModel& model = generator.trained.model;
  Integration how = generator.config.train.transport.in_restoration();
  how.steps = 1;
  how.steps = sampling_steps(arguments.steps, generator.levels(), how.grid(model.interpolant().stochastic()));
  const RandomKey key(arguments.key);
  const auto make = [&](const at::Tensor& ids_B) {
    const at::Tensor z_BD = normal_rows(key.derive(Purpose::kSignalPrior), ids_B, model.normalisation().mean_D.size(0));
    return model.transport(*generator.trained.network, z_BD, {}, how, key.derive(Purpose::kTransportNoise), ids_B);
  };
  write_new_signals(arguments.output, model.signal_shape(),
                    fmt::format("drawn by the generator of {}: {} {} steps, key {}", generator.name(), how.steps, how.solver, arguments.key),
                    arguments.count, how.batch, make);
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
