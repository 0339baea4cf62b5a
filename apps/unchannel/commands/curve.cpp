#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include <fmt/core.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>
#include <unchannel/report/size_curve.hpp>
#include <unchannel/run/run_folder.hpp>
#include <unchannel/scsi/observed_rows.hpp>

#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

struct CurveArguments {
  std::string config, run;
  std::vector<std::int64_t> rows;
  std::int64_t seeds = 1;
  std::vector<std::string> overrides, plugin_folders;
};

/// One training of the curve.
struct Member {
  std::filesystem::path folder;
  RunConfig config;
};

std::vector<Member> members_of(const CurveArguments& arguments, const std::filesystem::path& folder) {
  const RunConfig base = RunConfig::read(arguments.config, arguments.overrides);
  check<ConfigError>(!base.train.data.monitor_signals.empty(),
                     "{}: a data-size curve needs an error to show. Set data.monitor_observations and data.monitor_signals to observations "
                     "whose clean signals are known.",
                     arguments.config);
  const DatasetReader reader(base.train.data.file());
  std::vector<Member> members;
  for (const std::int64_t rows : std::set<std::int64_t>(arguments.rows.begin(), arguments.rows.end())) {
    for (std::int64_t seed = 1; seed <= arguments.seeds; ++seed) {
      Member member{folder / (arguments.seeds == 1 ? fmt::format("rows-{}", rows) : fmt::format("rows-{}-seed-{}", rows, seed)), base};
      member.config.train.data.rows = rows;
      member.config.train.run.key += seed - 1;
      check_row_range(member.config.train.data, reader);
      members.push_back(std::move(member));
    }
  }
  return members;
}

report::CurveRun finish(const Member& member, const CurveArguments& arguments) {
  const bool started = std::filesystem::exists(RunFolder::checkpoint_path(member.folder));
  run_training(member.config, arguments.config, member.folder, started, arguments.plugin_folders);
  return report::curve_run(report::read_run_history(member.folder), member.config.train.data.rows, member.config.train.run.key,
                           member.folder.string());
}

void curve(const CurveArguments& arguments) {
  const std::filesystem::path folder =
      arguments.run.empty() ? std::filesystem::path("runs") / (std::filesystem::path(arguments.config).stem().string() + "-curve")
                            : std::filesystem::path(arguments.run);
  const std::vector<Member> members = members_of(arguments, folder);
  report::run_gnuplot(report::gnuplot_script(report::curve_figure({})));  // hours before it is needed: a missing gnuplot costs nothing then
  std::vector<report::CurveRun> runs;
  for (const Member& member : members) {
    fmt::print(stderr, "curve: run {} of {}, {}\n", runs.size() + 1, members.size(), member.folder.string());
    runs.push_back(finish(member, arguments));
  }
  nlohmann::json json = report::curve_json(runs);
  json["config"] = arguments.config;
  write_file_atomically(folder / "curve.json", json_text(json, 2) + "\n");
  write_file_atomically(folder / "curve.svg", report::run_gnuplot(report::gnuplot_script(report::curve_figure(runs))));
  for (const report::CurvePoint& point : report::curve_points(runs)) {
    fmt::print("{} observations: RMSE {:.4g}, least on the way {:.4g} ({} {})\n", point.observations, point.rmse, point.least_rmse, point.runs,
               point.runs == 1 ? "run" : "runs");
  }
  fmt::print("{}\n", (folder / "curve.svg").string());
}

}  // namespace

void add_curve_command(CLI::App& app) {
  auto arguments = std::make_shared<CurveArguments>();
  CLI::App* command = app.add_subcommand("curve", "train on several numbers of observations and draw the error against them");
  command->add_option("config", arguments->config, "TOML configuration with data.monitor_observations and data.monitor_signals")->required();
  command->add_option("--rows", arguments->rows, "numbers of observations, each the first rows of the file, e.g. 1000,3000,10000")
      ->required()
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  command->add_option("--seeds", arguments->seeds, "runs of each size, with run.key and the keys after it")->check(CLI::Range(1, 1000));
  command->add_option("--run", arguments->run, "folder for the runs, curve.json and curve.svg (default: runs/<name of the configuration>-curve)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set scsi.steps=2000 (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "The same command again goes on where it stopped: finished runs are left as they are.\n"
      "Example: unchannel curve configs/images/blur_small.toml --rows 1000,3000,10000 --seeds 3\n"
      "Exit codes: 0 done, 2 configuration or no gnuplot, 3 plugin, 4 data or disk, 5 numerical or out of memory,\n"
      "130/143 stopped, with a checkpoint of the run in progress");
  command->callback([arguments] { curve(*arguments); });
}

}  // namespace unchannel
