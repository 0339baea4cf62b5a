#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>

#include <fmt/core.h>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/base/stop_signal.hpp>
#include <unchannel/report/run_sections.hpp>

#include "../evaluation/quasar_set.hpp"
#include "../evaluation/report_page.hpp"
#include "commands.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kReferenceRows = 100000;

struct ReportArguments {
  std::string run, input, truth, prior, oracle, output, json;
  std::vector<std::string> plugin_folders;
  std::uint64_t rows = 3000;
};

/// Announces a stage. Throws InterruptedError when a stop was requested.
void say(const std::string& text) {
  if (const int signal = stop_requested(); signal != 0) throw InterruptedError("report: interrupted; nothing was written.", signal);
  fmt::print(stderr, "report: {}\n", text);
}

/// The exact references, or why there are none.
struct References {
  std::optional<QuasarPrior> prior;
  bool drawn_from_prior = false;
  std::optional<baselines::QuasarReferences> exact;
  std::string reason = "needs the prior of a semi-synthetic set; none given with --prior";
};

References find_references(const ReportArguments& arguments, const ReportObjects& objects) {
  References result;
  if (arguments.prior.empty()) return result;
  say("exact references");
  result.prior = load_quasar_prior(arguments.prior);
  result.drawn_from_prior = reason_against_prior(objects.truth_provenance, *result.prior).empty();
  try {
    result.exact = exact_references(quasar_set(objects), *result.prior);
  } catch (const Error& error) {
    result.reason = error.what();
  }
  return result;
}

std::vector<report::MethodResult> all_methods(const ReportArguments& arguments, const OpenRun& run, const ReportObjects& objects,
                                              const at::Tensor& restored_ND, const References& references) {
  std::vector<report::MethodResult> methods;
  std::optional<OpenRun> oracle;  // opened here: a run that was asked for and does not fit is an error, no gap in the table
  if (!arguments.oracle.empty()) oracle.emplace(open_run(arguments.oracle, arguments.plugin_folders, arguments.input));
  const auto add = [&](const char* name, const char* meaning, const std::function<at::Tensor()>& restore) {
    say(name);
    methods.push_back(try_method(name, meaning, restore));
  };
  const auto add_reference = [&](const char* name, const char* meaning, const auto& of) {
    methods.push_back({name, meaning, references.exact ? of(*references.exact) : at::Tensor(), references.reason, false});
  };
  add("observed", "the observations as they are.", [&] { return objects.batch.lifted_BD; });
  add("start alone", "the Gaussian map fitted by probing, from which the training starts; it preserves variance.", [&] { return start_alone(run, objects); });
  add("linear-Gaussian", "factor analysis fitted to the observations only; posterior mean of that Gaussian.", [&] { return factor_analysis(run, objects); });
  add("Tikhonov, tuned on truth", "least squares with a roughness penalty, object by object, noise known, strength chosen on the truth.",
      [&] { return tikhonov_tuned_on_truth(run, objects); });
  add("SI oracle", "stochastic interpolant of the same kind trained on pairs with the truth.", [&] {
    check<ConfigError>(oracle.has_value(), "no run given with --oracle");
    return restore_objects(*oracle, objects);
  });
  methods.push_back({"SCSI", "this run: observations and simulator only.", restored_ND, "", true});
  using Exact = baselines::QuasarReferences;
  add_reference("best linear estimator", "knows mean and covariance of the clean signals.", [](const Exact& exact) { return exact.linear_BD; });
  add_reference("exact posterior mean", "knows the law of the clean signals; least possible RMSE.", [](const Exact& exact) { return exact.exact.mean_BD; });
  add_reference("one exact posterior draw", "knows the law of the clean signals; right spread.", [](const Exact& exact) { return exact.exact.draw_BD; });
  return methods;
}

nlohmann::json add_truth(report::HtmlPage& page, const ReportArguments& arguments, const OpenRun& run, const ReportObjects& objects,
                         const at::Tensor& restored_ND) {
  const References references = find_references(arguments, objects);
  const auto methods = all_methods(arguments, run, objects, restored_ND, references);
  say("comparison with the truth");
  const report::SignalLaw law = references.drawn_from_prior ? quasar_signal_law(quasar_set(objects), *references.prior, kReferenceRows)
                                                            : report::SignalLaw(objects.truth_ND);
  const at::Tensor exact_draw = references.exact ? references.exact->exact.draw_BD : at::Tensor();
  const auto rows = add_comparison_section(page, objects, methods, exact_draw, law);
  nlohmann::json json = {{"rows", report::comparison_json(rows)}, {"reference_rows", law.reference_rows()}};
  if (references.exact) json["mmse_bound_data_units"] = references.exact->mmse_bound;
  return json;
}

void make_report(const ReportArguments& arguments) {
  check<ConfigError>(arguments.truth.empty() || !arguments.input.empty(), "report --truth: give the observations made from it with --input.");
  check<ConfigError>((arguments.prior.empty() && arguments.oracle.empty()) || !arguments.truth.empty(),
                     "report --prior, --oracle: they are compared on the true signals; give those with --truth.");
  refuse_same_file("--output", arguments.output, {arguments.input, arguments.truth, arguments.prior});
  refuse_same_file("--json", arguments.json, {arguments.input, arguments.truth, arguments.prior, arguments.output});
  const std::filesystem::path run_path = arguments.run;
  const report::RunHistory history = report::read_run_history(run_path);
  const RunConfig config = read_run_config(run_path);
  const OpenRun run = open_run(run_path, arguments.plugin_folders, arguments.input.empty() ? config.train.data.file() : arguments.input);
  report::HtmlPage page("Restoration by self-consistent stochastic interpolants", fmt::format("run {} at step {}", run_path.string(), run.trained.step));
  nlohmann::json json = {{"run", run_path.string()}, {"step", run.trained.step}};

  report::add_run_section(page, history, run_summary(run));
  if (!arguments.input.empty()) {
    const ReportObjects objects = read_report_objects(arguments.input, arguments.truth, arguments.rows, *run.channel);
    say(fmt::format("restoring {} observations", objects.size()));
    const at::Tensor restored_ND = restore_objects(run, objects);
    add_spectra_section(page, objects, restored_ND);
    if (objects.truth_ND.defined()) json["comparison"] = add_truth(page, arguments, run, objects, restored_ND);
    say("consistency with the simulator");
    json["p_values"] = report::pvalues_json(add_consistency_section(page, run, objects, restored_ND));
    json["objects"] = objects.size();
    json["origin"] = objects.origin;
  }
  report::add_training_section(page, history);
  report::add_provenance_section(page, history);
  const std::filesystem::path output = arguments.output.empty() ? run_path / "report.html" : std::filesystem::path(arguments.output);
  write_file_atomically(output, page.html());
  if (!arguments.json.empty()) write_file_atomically(arguments.json, json_text(json, 2) + "\n");
  fmt::print("{}\n", output.string());
}

}  // namespace

void add_report_command(CLI::App& app) {
  auto arguments = std::make_shared<ReportArguments>();
  CLI::App* command = app.add_subcommand("report", "write a self-contained HTML page on a run");
  command->add_option("run", arguments->run, "run folder of a training")->required();
  command->add_option("--input", arguments->input, "HDF5 file with observations to restore and show");
  command->add_option("--truth", arguments->truth, "HDF5 file with their true signals: adds the comparison of methods");
  command->add_option("--prior", arguments->prior, "eBOSS quasar prior (npz or wheel): adds the exact references of the semi-synthetic set");
  command->add_option("--oracle", arguments->oracle, "run folder of the same network trained on pairs with the truth");
  command->add_option("--rows", arguments->rows, "objects to use, from the first row on")->check(CLI::Range(1, 1000000))->capture_default_str();
  command->add_option("--output", arguments->output, "HTML file (default: RUN/report.html)");
  command->add_option("--json", arguments->json, "file for the same figures, units in the keys");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "Example: unchannel report runs/demo --input test_observed.h5 --truth test_signals.h5 --prior eboss.npz\n"
      "Exit codes: 0 done, 2 configuration or no gnuplot, 3 plugin, 4 data or disk, 130/143 stopped, nothing written");
  command->callback([arguments] { make_report(*arguments); });
}

}  // namespace unchannel
