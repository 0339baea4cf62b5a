#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <unchannel/base/error.hpp>
#include <unchannel/conformance/check_report.hpp>
#include <unchannel/conformance/fuzz.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

struct CheckArguments {
  std::string file, channel, config, json;
  std::vector<std::string> only;
  std::int64_t seeds = 100;
  std::uint64_t seed = 1, reproduce = 0;
};

conformance::CheckRequest request_of(const CheckArguments& arguments) {
  conformance::CheckRequest request;
  request.file = arguments.file;
  request.channel = arguments.channel;
  request.config = arguments.config;
  return request;
}

void run_check(const CheckArguments& arguments) {
  conformance::CheckSettings settings;
  settings.request = request_of(arguments);
  settings.only = arguments.only;
  settings.progress = [](const conformance::CheckOutcome& outcome) {
    fmt::print("{}", conformance::outcome_text(outcome));
    std::fflush(stdout);
  };
  const conformance::CheckReport report = conformance::check_file(settings);
  fmt::print("{}", conformance::summary_text(report));
  if (!arguments.json.empty()) conformance::write_report(report, arguments.json);
  check<PluginError>(report.passed(), "{}: not every applicable check passed.", arguments.file);
}

void run_fuzz(const CheckArguments& arguments, bool reproduce) {
  conformance::FuzzSettings settings;
  settings.request = request_of(arguments);
  settings.first_seed = reproduce ? arguments.reproduce : arguments.seed;
  settings.seeds = reproduce ? 1 : arguments.seeds;
  const conformance::FuzzOutcome outcome = conformance::fuzz_file(settings);
  check<PluginError>(!outcome.failed, "{}: seed {}: {} Again: unchannel plugins fuzz {} --reproduce {}", arguments.file, outcome.seed,
                     outcome.reason, arguments.file, outcome.seed);
  fmt::print("{}: {} seeds, nothing found.\n", arguments.file, outcome.tried);
}

void add_common(CLI::App& command, const std::shared_ptr<CheckArguments>& arguments) {
  command.add_option("file", arguments->file, "the plugin: a shared library, a Python file or the manifest of a program")->required()->check(CLI::ExistingFile);
  command.add_option("--channel", arguments->channel, "id of one of its channels; default: all");
  command.add_option("--config", arguments->config, "TOML with [channel.parameters] and x_shape to check with; default: the defaults")
      ->check(CLI::ExistingFile);
}

}  // namespace

void add_plugins_check_commands(CLI::App& plugins) {
  auto arguments = std::make_shared<CheckArguments>();
  CLI::App* check_command = plugins.add_subcommand("check", "29 checks of a plugin, each in a process of its own");
  add_common(*check_command, arguments);
  check_command->add_option("--only", arguments->only, "id of a check (repeatable); default: all")->allow_extra_args(false);
  check_command->add_option("--json", arguments->json, "write the report as JSON to this file");
  check_command->footer(
      "Example: unchannel plugins check my_instrument.so --json report.json\n"
      "Exit codes: 0 every applicable check passed, 2 usage, 3 a check failed, 4 the file cannot be read");
  check_command->callback([arguments] { run_check(*arguments); });

  CLI::App* fuzz_command = plugins.add_subcommand("fuzz", "random configurations and calls, each seed in a process of its own");
  add_common(*fuzz_command, arguments);
  fuzz_command->add_option("--seeds", arguments->seeds, "how many")->capture_default_str()->check(CLI::PositiveNumber);
  fuzz_command->add_option("--seed", arguments->seed, "the first")->capture_default_str();
  CLI::Option* reproduce = fuzz_command->add_option("--reproduce", arguments->reproduce, "this seed alone");
  fuzz_command->footer(
      "Example: unchannel plugins fuzz my_instrument.so --reproduce 17\n"
      "Exit codes: 0 nothing found, 2 usage, 3 a seed failed, 4 the file cannot be read");
  fuzz_command->callback([arguments, reproduce] { run_fuzz(*arguments, reproduce->count() > 0); });
}

}  // namespace unchannel
