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
#include <unchannel/report/posterior_section.hpp>
#include <unchannel/report/run_sections.hpp>
#include <unchannel/report/verdict_section.hpp>

#include "../evaluation/comparison_files.hpp"
#include "../evaluation/image_section.hpp"
#include "../evaluation/method_names.hpp"
#include "../evaluation/observed_elements.hpp"
#include "../evaluation/quasar_set.hpp"
#include "../evaluation/report_page.hpp"
#include "commands.hpp"

namespace unchannel {
namespace {

constexpr std::int64_t kReferenceRows = 100000;

struct ReportArguments {
  std::string run, input, truth, reference, prior, oracle, output, json;
  std::vector<std::string> compare, plugin_folders;
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

/// Everything that is computed before the page is written.
struct Inputs {
  const ReportArguments& arguments;
  const std::vector<ComparisonFile>& files;
  const OpenRun& run;
  const ReportObjects& objects;
  const at::Tensor& restored_ND;
  std::vector<std::int64_t> image_shape;
};

report::MethodResult start_row(const OpenRun& run, const ReportObjects& objects) {
  say(method_names::kStart);
  return try_method(method_names::kStart, start_in_words(run), [&] { return start_alone(run, objects); });
}

report::MethodResult own_row(const at::Tensor& restored_ND) {
  return {method_names::kScsi, "this run: observations and simulator only.", restored_ND, "", true};
}

/// The rows that need the law of the clean signals.
void add_exact_rows(std::vector<report::MethodResult>& methods, const References& references) {
  const auto add = [&](const char* name, const char* meaning, const auto& of) {
    methods.push_back({name, meaning, references.exact ? of(*references.exact) : at::Tensor(), references.reason, false});
  };
  using Exact = baselines::QuasarReferences;
  add(method_names::kBestLinear, "knows mean and covariance of the clean signals.", [](const Exact& exact) { return exact.linear_BD; });
  add(method_names::kPosteriorMean, "knows the law of the clean signals; least possible RMSE.",
      [](const Exact& exact) { return exact.exact.mean_BD; });
  add(method_names::kPosteriorDraw, "knows the law of the clean signals; right spread.",
      [](const Exact& exact) { return exact.exact.draw_BD; });
}

std::vector<report::MethodResult> all_methods(const Inputs& in, const References& references) {
  std::vector<report::MethodResult> methods, given;
  // Opened here: a run or file that was asked for and does not fit is an error, no gap in the table.
  std::optional<OpenRun> oracle;
  if (!in.arguments.oracle.empty()) oracle.emplace(open_run(in.arguments.oracle, in.arguments.plugin_folders, in.arguments.input));
  for (const ComparisonFile& file : in.files) given.push_back(read_comparison(file, in.objects));
  const auto add = [&](const char* name, const char* meaning, const std::function<at::Tensor()>& restore) {
    say(name);
    methods.push_back(try_method(name, meaning, restore));
  };
  add(method_names::kObserved,
      in.objects.batch.raw_BM.sizes() == in.objects.batch.lifted_BD.sizes() ? "the observations as they are."
                                                                            : "the observations lifted to the signal's grid.",
      [&] { return observed_as_signals(in.objects.batch); });
  methods.push_back(start_row(in.run, in.objects));
  add(method_names::kFactorAnalysis, "factor analysis fitted to the observations only; posterior mean of that Gaussian.",
      [&] { return factor_analysis(in.run, in.objects); });
  add(method_names::kTikhonov, "least squares with a roughness penalty, object by object, noise known, strength chosen on the truth.",
      [&] { return tikhonov_tuned_on_truth(in.run, in.objects); });
  add(method_names::kOracle, "stochastic interpolant of the same kind trained on pairs with the truth.", [&] {
    check<ConfigError>(oracle.has_value(), "no run given with --oracle");
    return restore_objects(*oracle, in.objects);
  });
  methods.insert(methods.end(), given.begin(), given.end());
  methods.push_back(own_row(in.restored_ND));
  if (in.objects.axis.is_wavelength || !in.arguments.prior.empty()) add_exact_rows(methods, references);
  return methods;
}

nlohmann::json add_truth(report::HtmlPage& page, const Inputs& in, const std::vector<report::MethodResult>& methods,
                         const References& references) {
  say("comparison with the truth");
  std::string words = "The law of clean signals is represented by the true signals themselves, one half against the other.";
  const report::SignalLaw law = [&] {
    if (!in.arguments.reference.empty()) return law_of_file(in.arguments.reference, in.objects);
    if (references.drawn_from_prior) return quasar_signal_law(quasar_set(in.objects), *references.prior, kReferenceRows);
    return report::SignalLaw(in.objects.truth_ND);
  }();
  if (law.reference_rows() > 0)
    words = fmt::format("The law of clean signals is represented by {} further semi-synthetic signals.", law.reference_rows());
  if (!in.arguments.reference.empty()) {
    words = fmt::format(
        "The law of clean signals, and their spread, are represented by {} signals of {}; the rest of that file gives the sampling floor.",
        law.reference_rows(), in.arguments.reference);
  }
  const at::Tensor exact_draw = references.exact ? references.exact->exact.draw_BD : at::Tensor();
  const auto rows = add_comparison_section(page, in.objects, methods, exact_draw, in.image_shape, law, words);
  nlohmann::json json = {{"rows", report::comparison_json(rows)}, {"reference_rows", law.reference_rows()}};
  if (!in.arguments.reference.empty()) json["reference"] = in.arguments.reference;
  if (references.exact) json["mmse_bound_data_units"] = references.exact->mmse_bound;
  return json;
}

/// All that depends on observations.
void add_objects(report::HtmlPage& page, nlohmann::json& json, const ReportArguments& arguments, const std::vector<ComparisonFile>& files,
                 const OpenRun& run) {
  const ReportObjects objects = read_report_objects(arguments.input, arguments.truth, arguments.rows, *run.channel);
  if (!arguments.reference.empty()) check_reference_file(arguments.reference, objects);
  say(fmt::format("restoring {} observations", objects.size()));
  const at::Tensor restored_ND = restore_objects(run, objects), observed_NM = observed_elements(*run.channel, objects.batch);
  const Inputs in{arguments, files, run, objects, restored_ND, image_shape_of(run.channel->signal_shape())};
  References references;
  std::vector<report::MethodResult> methods;
  if (objects.truth_ND.defined()) {
    references = find_references(arguments, objects);
    methods = all_methods(in, references);
  } else if (!in.image_shape.empty()) {
    methods = {start_row(run, objects), own_row(restored_ND)};
  }
  if (in.image_shape.empty()) {
    add_spectra_section(page, objects, restored_ND, observed_NM);
  } else {
    std::vector<std::string> names;
    for (const ComparisonFile& file : files) names.push_back(file.name);
    json["images"] = add_image_section(page, objects, methods, names, observed_NM, in.image_shape);
  }
  if (objects.truth_ND.defined()) json["comparison"] = add_truth(page, in, methods, references);
  say("consistency with the simulator");
  json["p_values"] = report::pvalues_json(add_consistency_section(page, run, objects, restored_ND, observed_NM));
  json["objects"] = objects.size();
  json["origin"] = objects.origin;
}

void make_report(const ReportArguments& arguments) {
  check<ConfigError>(arguments.truth.empty() || !arguments.input.empty(),
                     "report --truth: give the observations made from it with --input.");
  check<ConfigError>((arguments.prior.empty() && arguments.oracle.empty() && arguments.reference.empty() && arguments.compare.empty()) ||
                         !arguments.truth.empty(),
                     "report --prior, --oracle, --reference, --compare: they are compared on the true signals; give those with --truth.");
  const std::vector<ComparisonFile> files = parse_comparison_files(arguments.compare);
  std::vector<std::filesystem::path> inputs = {arguments.input, arguments.truth, arguments.reference, arguments.prior};
  for (const ComparisonFile& file : files) inputs.emplace_back(file.path);
  refuse_same_file("--output", arguments.output, inputs);
  inputs.emplace_back(arguments.output);
  refuse_same_file("--json", arguments.json, inputs);
  const std::filesystem::path run_path = arguments.run;
  const report::RunHistory history = report::read_run_history(run_path);
  const RunConfig config = read_run_config(run_path);
  const OpenRun run = open_run(run_path, arguments.plugin_folders, arguments.input.empty() ? config.train.data.file() : arguments.input);
  report::HtmlPage page("Restoration by self-consistent stochastic interpolants",
                        fmt::format("run {} at step {}", run_path.string(), run.trained.step));
  nlohmann::json json = {{"run", run_path.string()}, {"step", run.trained.step}};

  report::add_run_section(page, history, run_summary(run));
  if (!arguments.input.empty()) add_objects(page, json, arguments, files, run);
  report::add_posterior_section(page, run_path);
  report::add_verdict_section(page, history);
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
  command->add_option("--reference", arguments->reference,
                      "HDF5 file with other clean signals, three times as many or more: their law and spread");
  command->add_option("--compare", arguments->compare, "NAME=FILE: restorations made elsewhere, as a further row (repeatable)")
      ->allow_extra_args(false);
  command->add_option("--prior", arguments->prior,
                      "eBOSS quasar prior (npz or wheel): adds the exact references of the semi-synthetic set");
  command->add_option("--oracle", arguments->oracle, "run folder of the same network trained on pairs with the truth");
  command->add_option("--rows", arguments->rows, "objects to use, from the first row on")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command->add_option("--output", arguments->output, "HTML file (default: RUN/report.html)");
  command->add_option("--json", arguments->json, "file for the same figures, units in the keys");
  command->add_option("--plugin-dir", arguments->plugin_folders, "folder with instrument plugins (repeatable)")->allow_extra_args(false);
  command->footer(
      "Example: unchannel report runs/demo --input test_observed.h5 --truth test_signals.h5 --prior eboss.npz\n"
      "Exit codes: 0 done, 2 configuration or no gnuplot, 3 plugin, 4 data or disk, 130/143 stopped, nothing written");
  command->callback([arguments] { make_report(*arguments); });
}

}  // namespace unchannel
