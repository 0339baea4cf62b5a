#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/identification/finding.hpp>
#include <unchannel/identification/record.hpp>
#include <unchannel/identification/search.hpp>
#include <unchannel/identification/statistics.hpp>
#include <unchannel/nn/memory.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>
#include <unchannel/report/profile_figure.hpp>
#include <unchannel/run/run_folder.hpp>

#include "../unknown_parameter.hpp"
#include "commands.hpp"
#include "training.hpp"

namespace unchannel {
namespace {

using identification::Discrepancy;
using identification::Profile;

struct IdentifyArguments {
  std::string config, run;
  std::vector<std::string> overrides, plugin_folders;
};

/// The trainings of one profile, each in a folder of its own.
class ProfileRuns {
 public:
  ProfileRuns(RunConfig base, const IdentifyArguments& arguments, std::filesystem::path folder)
      : base_(std::move(base)), arguments_(arguments), folder_(std::filesystem::absolute(folder)) {}

  std::vector<std::vector<Discrepancy>> measure(double value, std::optional<double> neighbour) {
    std::vector<std::vector<Discrepancy>> members;
    for (std::int64_t member = 0; member < base_.unknown.members; ++member) {
      ++count_;
      fmt::print(stderr, "identify: training {}, {} = {:.6g}\n", count_, base_.unknown.parameter, value);
      members.push_back(measure_member(value, neighbour, member));
    }
    return members;
  }

 private:
  std::filesystem::path path_of(double value, std::int64_t member) const {
    return folder_ / fmt::format("{}-{:.9g}{}", base_.unknown.parameter, value,
                                 base_.unknown.members == 1 ? "" : fmt::format("-member-{}", member + 1));
  }

  RunConfig config_of(double value, std::optional<double> neighbour, std::int64_t member) const {
    RunConfig config = base_;
    set_unknown_parameter(config, value);
    config.train.run.key += member;
    config.train.verdict.replicas = 0;  // its rows are compared here
    if (neighbour && config.unknown.refit_steps > 0) config.train.scsi.steps = config.unknown.refit_steps;
    if (neighbour && config.unknown.refit == "weights") {
      config.train.start.kind = "run";
      config.train.start.file.clear();
      config.train.start.run = path_of(*neighbour, member).string();
      config.train.scsi.first_refresh = 0;  // the network knows its start
    }
    return config;
  }

  std::vector<Discrepancy> measure_member(double value, std::optional<double> neighbour, std::int64_t member) const {
    RunConfig config = config_of(value, neighbour, member);
    const std::filesystem::path run = path_of(value, member);
    run_training(config, arguments_.config, run, std::filesystem::exists(RunFolder::checkpoint_path(run)), arguments_.plugin_folders);
    const std::filesystem::path record = run / "identify.json";
    const std::string settings = config.to_toml();
    if (std::filesystem::exists(record)) {
      const nlohmann::json stored = nlohmann::json::parse(read_file(record), nullptr, /*allow_exceptions=*/false);
      if (stored.is_object() && stored.value("settings", "") == settings) return from_json(stored);
    }
    const std::vector<Discrepancy> found = compare(config, run);
    nlohmann::json json = {{"settings", settings}, {"statistics", nlohmann::json::array()}};
    for (const Discrepancy& discrepancy : found) json["statistics"].push_back(identification::to_json(discrepancy));
    write_file_atomically(record, json_text(json, 2) + "\n");
    return found;
  }

  static std::vector<Discrepancy> from_json(const nlohmann::json& stored) {
    std::vector<Discrepancy> found;
    for (const nlohmann::json& entry : stored.at("statistics")) found.push_back(identification::discrepancy_from_json(entry));
    return found;
  }

  std::vector<Discrepancy> compare(const RunConfig& config, const std::filesystem::path& run) const {
    const std::unique_ptr<Channel> channel = open_channel(config, arguments_.plugin_folders, config.train.data.file());
    const UnknownSettings& unknown = config.unknown;
    Progress bar("compare", unknown.worlds);
    identification::Comparison comparison{unknown, std::nullopt, [&bar](std::int64_t done) {
                                            if (const int signal = stop_requested(); signal != 0) {
                                              throw InterruptedError(fmt::format("stopped by signal {}; the same command goes on.", signal),
                                                                     signal);
                                            }
                                            bar.update(done, "");
                                          }};
    if (unknown.constraint == "calibration") {
      comparison.calibration = identification::read_calibration(unknown.calibration_signals, unknown.calibration_observations, *channel);
    }
    std::vector<Discrepancy> found = measure_run(diagnostics::OpenedRun(run, config.train, *channel), comparison);
    bar.finish();
    return found;
  }

  RunConfig base_;
  const IdentifyArguments& arguments_;
  std::filesystem::path folder_;
  std::int64_t count_ = 0;
};

report::ProfileCurves curves_of(const Profile& profile, const identification::Finding& finding, const UnknownSettings& unknown) {
  report::ProfileCurves curves{unknown.parameter, {}, {}, finding.low, finding.high, unknown.prior == "log_uniform"};
  for (const identification::ProfilePoint& point : profile.points) curves.value.push_back(point.value);
  for (std::size_t s = 0; s < profile.statistics.size(); ++s) {
    report::ProfileCurves::Curve curve{profile.statistics[s].name, {}};
    for (const identification::ProfilePoint& point : profile.points)
      curve.share_of_limit.push_back(severity(profile.statistics[s], point, s));
    curves.curves.push_back(std::move(curve));
  }
  return curves;
}

/// Refuses what would be refused after the first training.
void check_constraint(const RunConfig& config, const std::vector<std::string>& plugin_folders) {
  const std::unique_ptr<Channel> channel = open_channel(config, plugin_folders, config.train.data.file());
  const UnknownSettings& unknown = config.unknown;
  if (unknown.constraint == "calibration") {
    identification::read_calibration(unknown.calibration_signals, unknown.calibration_observations, *channel);
  }
}

void identify(const IdentifyArguments& arguments) {
  keep_freed_memory();
  const RunConfig base = RunConfig::read(arguments.config, arguments.overrides);
  const UnknownSettings& unknown = base.unknown;
  try {
    check_unknown_parameter(base, arguments.plugin_folders);
    check_constraint(base, arguments.plugin_folders);
  } catch (const ConfigError& error) {
    throw ConfigError(fmt::format("{}: {}", arguments.config, error.what()));
  }
  const std::filesystem::path folder =
      arguments.run.empty() ? std::filesystem::path("runs") / (std::filesystem::path(arguments.config).stem().string() + "-identify")
                            : std::filesystem::path(arguments.run);
  report::run_gnuplot(
      report::gnuplot_script(report::profile_figure({})));  // hours before it is needed: a missing gnuplot costs nothing then
  ProfileRuns runs(base, arguments, folder);
  const Profile profile =
      identification::search(unknown, identification::statistics_of(unknown, base.train.verdict.margin),
                             [&runs](double value, std::optional<double> neighbour) { return runs.measure(value, neighbour); });
  const identification::Finding finding = identification::judge(profile, unknown);
  nlohmann::json json = identification::to_json(profile, finding, unknown);
  json["config"] = arguments.config;
  write_file_atomically(folder / "identify.json", json_text(json, 2) + "\n");
  write_file_atomically(folder / "identify.svg",
                        report::run_gnuplot(report::gnuplot_script(report::profile_figure(curves_of(profile, finding, unknown)))));
  fmt::print("{}{}: {}: {}\n", identification::table(profile, unknown), unknown.parameter, to_string(finding.word), finding.reason);
  if (!finding.remedy.empty()) fmt::print("{}\n", finding.remedy);
  fmt::print("{}\n", (folder / "identify.svg").string());
}

}  // namespace

void add_identify_command(CLI::App& app) {
  auto arguments = std::make_shared<IdentifyArguments>();
  CLI::App* command = app.add_subcommand("identify", "say what the observations tell about an unknown parameter of the channel");
  command->add_option("config", arguments->config, "TOML configuration with a table [unknown]")->required();
  command->add_option("--run", arguments->run,
                      "folder for the trainings, identify.json and identify.svg (default: runs/<name of the configuration>-identify)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set unknown.points=15 (repeatable)")->allow_extra_args(false);
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "The same command again goes on where it stopped: finished trainings are left as they are.\n"
      "Example: unchannel identify configs/unknown/noise.toml --run runs/noise\n"
      "Exit codes: 0 done, whatever was found, 2 configuration or no gnuplot, 3 plugin, 4 data or disk, 5 numerical or out of memory,\n"
      "130/143 stopped, with a checkpoint of the training in progress");
  command->callback([arguments] { identify(*arguments); });
}

}  // namespace unchannel
