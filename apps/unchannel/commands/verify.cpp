#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/progress.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/base/stopwatch.hpp>
#include <unchannel/report/decay_figure.hpp>
#include <unchannel/report/figure_script.hpp>
#include <unchannel/report/gnuplot.hpp>
#include <unchannel/verification/fault.hpp>
#include <unchannel/verification/verification.hpp>

#include "commands.hpp"

namespace unchannel {
namespace {

using verification::Claim, verification::SchemeResult, verification::Verification, verification::VerifySettings;

struct VerifyArguments {
  std::string config, json, figure;
  std::vector<std::string> overrides;
};

/// Trains with a bar over all optimiser steps; a stop request ends it, there is nothing to keep.
Verification trained(const std::vector<verification::Scheme>& schemes, const VerifySettings& settings) {
  const std::int64_t total = verification::steps_of(schemes, settings);
  Progress bar("verify", total);
  std::int64_t done = 0;
  Verification result = verification::verify(schemes, settings, [&] {
    if (const int signal = stop_requested(); signal != 0) {
      throw InterruptedError(fmt::format("stopped by signal {} after {} of {} steps; nothing was written.", signal, done, total), signal);
    }
    bar.update(++done);
  });
  bar.finish();
  return result;
}

void print_scheme(const SchemeResult& result) {
  fmt::print("\n{}\n", result.scheme.text);
  fmt::print(" iterate   W2 predicted    measured   within  mean off   may be  covariance off   may be\n");
  for (std::size_t k = 0; k < result.measured.size(); ++k) {
    const verification::MeasuredIterate& m = result.measured[k];
    fmt::print("{:8}  {:13.5f} {:11.5f} {:8.5f} {:9.4f} {:8.4f} {:15.4f} {:8.4f}{}\n", k, result.predicted[k].w2, m.w2, m.w2_error, m.mean_error, m.mean_tolerance,
               m.covariance_error, m.covariance_tolerance, m.mean_error > m.mean_tolerance || m.covariance_error > m.covariance_tolerance ? "  <-" : "");
  }
}

void print_claims(const std::vector<Claim>& claims) {
  fmt::print("\n{:<11}{:<20}{:>10} {:>10} {:>10}\n", "", "claim", "predicted", "measured", "tolerance");
  for (const Claim& claim : claims) {
    if (!claim.tested) {
      fmt::print("{:<11}{:<20}{:>32}  {}\n", "not tested", claim.name, "too near the signal to tell", claim.text);
      continue;
    }
    // Of the iterates there is no one prediction: the figure is their worst error as a share of what it may be.
    const std::string predicted = claim.name == "iterates" ? "" : fmt::format("{:.4f}", claim.predicted);
    fmt::print("{:<11}{:<20}{:>10} {:10.4f} {:10.4f}  {}\n", claim.holds ? "holds" : "FAILS", claim.name, predicted, claim.measured, claim.tolerance, claim.text);
  }
}

report::Figure figure_of(const Verification& result) {
  using report::Mark, report::Tone;
  report::DecayPanel panel{"", "W2 to the signal [data units]", {}};
  constexpr Tone kTones[] = {Tone::kBlue, Tone::kGreen, Tone::kOrange};
  for (std::size_t i = 0; i < result.schemes.size(); ++i) {
    const SchemeResult& scheme = result.schemes[i];
    std::vector<double> predicted, measured;
    for (std::size_t k = 0; k < scheme.measured.size(); ++k) {
      predicted.push_back(scheme.predicted[k].w2);
      measured.push_back(scheme.measured[k].w2);
    }
    panel.decays.push_back({scheme.scheme.text + ", theory", predicted, kTones[i % 3], Mark::kLine});
    panel.decays.push_back({scheme.scheme.text + ", trained", measured, kTones[i % 3], Mark::kPoints});
  }
  return report::decay_figure({panel}, "Distance of trained iterates from the signal beside the theory's, by iteration");
}

void run_verify(const VerifyArguments& arguments) {
  refuse_same_file("--json", arguments.json, {arguments.config});
  refuse_same_file("--figure", arguments.figure, {arguments.config, arguments.json});
  const Config config = Config::read(arguments.config, arguments.overrides);
  theory::TheorySettings transport;
  config.fill_table("theory", [&](SettingsVisitor& visitor) { transport.visit(visitor); });
  VerifySettings settings;
  config.fill_table("verify", [&](SettingsVisitor& visitor) { settings.visit(visitor); });
  at::set_num_threads(static_cast<int>(settings.threads));
  const std::vector<verification::Scheme> schemes = verification::schemes_of(theory::read_theory_case(config).problem, transport, settings.transport_steps);
  verification::check_fault_acts(settings.fault, schemes);
  const Stopwatch watch;
  const Verification result = trained(schemes, settings);
  for (const SchemeResult& scheme : result.schemes) print_scheme(scheme);
  print_claims(result.claims);
  fmt::print("\n{} repeats, {} fits each, {}\n", settings.repeats, schemes.size() * static_cast<std::size_t>(settings.iterations), format_duration(watch.elapsed_s()));
  if (settings.fault != "none") fmt::print("verify.fault = \"{}\": a fault was put in on purpose; the verdict should be that claims fail.\n", settings.fault);
  if (!arguments.json.empty()) {
    nlohmann::json json = verification::to_json(result);
    json["elapsed_s"] = watch.elapsed_s();
    json["unchannel_version"] = UNCHANNEL_VERSION;
    json["config"] = settings_to_toml([&](SettingsVisitor& visitor) { settings.visit(visitor); }, /*with_comments=*/false);
    write_file_atomically(arguments.json, json_text(json, 1) + "\n");
  }
  if (!arguments.figure.empty()) write_file_atomically(arguments.figure, report::run_gnuplot(report::gnuplot_script(figure_of(result))));
  const auto failed = std::count_if(result.claims.begin(), result.claims.end(), [](const Claim& claim) { return claim.tested && !claim.holds; });
  if (!result.holds()) {
    throw Error(fmt::format("{}: {} of {} claims do not hold for this engine on this machine. If the fits are not converged, raise verify.steps or verify.rows; "
                            "if not, the installation computes wrongly: run the tests.",
                            arguments.config, failed, result.claims.size()));
  }
  fmt::print("verified: every tested claim holds\n");
}

}  // namespace

void add_verify_command(CLI::App& app) {
  auto arguments = std::make_shared<VerifyArguments>();
  CLI::App* command = app.add_subcommand("verify", "train the engine on a Gaussian case and compare every iterate with the theory");
  command->add_option("config", arguments->config, "TOML configuration with the tables [theory] and [verify]")->required();
  command->add_option("--json", arguments->json, "file for all figures");
  command->add_option("--figure", arguments->figure, "SVG file: distances by iteration, trained and predicted (needs gnuplot)");
  command->add_option("--set", arguments->overrides, "override a key, e.g. --set verify.repeats=5 (repeatable)")->allow_extra_args(false);
  command->footer(
      "To see it fail: --set 'verify.fault=\"drift_sign\"'\n"
      "Example: unchannel verify configs/smoke/awgn.toml\n"
      "Exit codes: 0 every tested claim holds, 1 one does not, 2 configuration, 4 disk, 5 numerical, 130/143 stopped, nothing written");
  command->callback([arguments] { run_verify(*arguments); });
}

}  // namespace unchannel
