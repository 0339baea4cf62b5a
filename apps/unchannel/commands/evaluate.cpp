#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unchannel/scsi/observed_rows.hpp>

#include "../evaluation/draws_section.hpp"
#include "../evaluation/matched_rows.hpp"
#include "../evaluation/quasar_set.hpp"
#include "commands.hpp"

// Shape legend: N objects · D pixels
namespace unchannel {
namespace {

struct EvaluateArguments {
  std::string truth, restored, observed, reference, prior, json;
  double data_range = 0;
};

/// What is known about the truth: its values, mask, own noise, wavelengths, redshifts.
metrics::EvaluationInput read_truth(const DatasetReader& reader, const std::vector<std::uint64_t>& rows) {
  metrics::EvaluationInput input;
  input.truth_ND = read_rows(reader, rows);
  const auto elements = static_cast<std::size_t>(input.truth_ND.numel());
  if (reader.has_mask()) {
    at::Tensor mask = at::empty(input.truth_ND.sizes(), at::kByte);
    reader.read_mask(std::span(rows), {mask.mutable_data_ptr<std::uint8_t>(), elements});
    input.valid_ND = mask.eq(0);
  }
  if (reader.has_ivar()) {
    at::Tensor ivar = at::empty(input.truth_ND.sizes(), at::kFloat);
    reader.read_ivar(std::span(rows), {ivar.mutable_data_ptr<float>(), elements});
    input.valid_ND = input.valid_ND.defined() ? input.valid_ND.logical_and(ivar.gt(0)) : ivar.gt(0);
    input.truth_variance_ND = ivar.clamp_min(1e-30).reciprocal();
  }
  if (reader.wavelength()) {
    const auto redshift = reader.redshift();
    if (reader.wavelength()->frame == "rest" || redshift) input.wavelength_D = at::tensor(reader.wavelength()->angstrom, at::kDouble);
    if (reader.wavelength()->frame != "rest" && redshift) {
      std::vector<double> selected;
      for (const std::uint64_t row : rows) selected.push_back((*redshift)[row]);
      input.redshift_N = at::tensor(selected, at::kDouble);
    }
  }
  return input;
}

baselines::QuasarReferences references_of(const EvaluateArguments& arguments, const DatasetReader& truth, const DatasetReader& observed,
                                          const std::vector<std::uint64_t>& observed_rows, const at::Tensor& truth_ND,
                                          const at::Tensor& observed_ND, const std::vector<std::int64_t>& ids) {
  QuasarSet set;
  set.truth_provenance = nlohmann::json::parse(truth.attribute("provenance"), nullptr, false);
  if (truth.wavelength()) set.wavelength_angstrom = truth.wavelength()->angstrom;
  for (const LatentInfo& latent : observed.latents()) {
    set.latents.push_back(latent.name);
    if (latent.row_size == 1) set.scalars.emplace(latent.name, numbers_of(observed.read_latent(latent.name, std::span(observed_rows))));
  }
  set.truth_ND = truth_ND;
  set.observed_ND = observed_ND;
  set.ids_N = at::tensor(ids, at::kLong);
  const QuasarPrior prior = load_quasar_prior(arguments.prior);
  std::string reason;
  try {
    reason = reason_against_references(set, prior);
  } catch (const DataError& error) {
    throw DataError(fmt::format("{}: {}", truth.path().string(), error.what()));
  }
  check<ConfigError>(reason.empty(), "{} and {}: have no exact references: {}. Leave --prior out.", truth.path().string(),
                     observed.path().string(), reason);
  return exact_references(set, prior);
}

void print_table(const std::vector<std::pair<std::string, metrics::Evaluation>>& results) {
  fmt::print("{:<28}{:>18}{:>10}{:>8}{:>12}{:>10}{:>10}{:>18}{:>24}\n", "", "RMSE", "PSNR/dB", "SSIM", "excess SW2", "energy", "MMD", "spread error/%", "Ly alpha < 500 km/s/%");
  for (const auto& [name, e] : results) {
    std::string line = fmt::format("{:<28}{:>10.4f} ± {:<5.4f}{:>10.2f}", name, e.rmse.value, e.rmse.standard_error, e.psnr_db);
    line += e.ssim ? fmt::format("{:>8.4f}", e.ssim->value) : fmt::format("{:>8}", "-");
    line += e.sliced ? fmt::format("{:>12.4f}{:>10.4f}{:>10.4f}", e.sliced->excess, *e.energy_distance, e.mmd->mmd) : fmt::format("{:>12}{:>10}{:>10}", "-", "-", "-");
    line += e.spread_error ? fmt::format("{:>10.2f} ± {:<5.2f}", 100 * e.spread_error->value, 100 * e.spread_error->standard_error) : fmt::format("{:>18}", "-");
    const auto lya = std::find_if(e.lines.begin(), e.lines.end(), [](const auto& l) { return l.name == "Ly_alpha"; });
    line += lya != e.lines.end() ? fmt::format("{:>10.1f} ± {:<4.1f}(n={})", 100 * lya->fraction_within.value, 100 * lya->fraction_within.standard_error, lya->in_coverage)
                                 : fmt::format("{:>24}", "-");
    fmt::print("{}\n", line);
    if (e.rmse_noise_subtracted) {
      const double rest = *e.rmse_noise_subtracted;
      fmt::print("{:<28}RMSE without the reference's own noise: {}\n", "",
                 std::isnan(rest) ? "below the noise" : fmt::format("{:.4f}", rest));
    }
  }
  const metrics::Evaluation& first = results.front().second;
  fmt::print("{} objects of {} pixels, {:.2f} % of them with known truth; ± is one bootstrap standard error; PSNR range {:.4g}.\n", first.objects, first.pixels,
             100 * first.valid_share, first.data_range);
  for (const auto& line : first.lines)
    fmt::print("{} of {}: {} objects in coverage, median |velocity error| {:.0f} km/s, median relative height error {:+.3f}\n", line.name, results.front().first, line.in_coverage,
               line.median_abs_velocity_km_s, line.median_height_error);
}

void evaluate(const EvaluateArguments& arguments) {
  check<ConfigError>(arguments.prior.empty() || !arguments.observed.empty(), "evaluate --prior: the exact references are computed from the observations; give them with --observed.");
  refuse_same_file("--json", arguments.json, {arguments.truth, arguments.restored, arguments.observed, arguments.reference, arguments.prior});
  const ObjectFile restored(arguments.restored), truth(arguments.truth);
  const WantedObjects wanted = wanted_objects(restored.reader, restored.reader.rows());
  const std::vector<std::uint64_t> restored_rows = row_range(0, wanted.count), truth_rows = matched_rows(truth, wanted);
  const std::vector<std::int64_t> ids = wanted.ids.value_or(std::vector<std::int64_t>(restored_rows.begin(), restored_rows.end()));

  metrics::EvaluationInput input = read_truth(truth.reader, truth_rows);
  input.data_range = arguments.data_range;
  input.image_shape.assign(truth.reader.row_shape().begin(), truth.reader.row_shape().end());
  if (!arguments.reference.empty()) {
    const DatasetReader reference(arguments.reference, DatasetKind::signals);
    check<ShapeError>(reference.dim() == truth.reader.dim(), "{}: a row has {} elements and the truth's {}.", arguments.reference, reference.dim(), truth.reader.dim());
    input.reference_MD = read_rows(reference, row_range(0, reference.rows()));
  }
  nlohmann::json json = {{"truth", arguments.truth}, {"restored", arguments.restored}, {"objects", ids.size()}};
  std::vector<std::pair<std::string, metrics::Evaluation>> results;
  const auto add = [&](const std::string& name, const at::Tensor& x_ND) {
    input.restored_ND = x_ND;
    results.emplace_back(name, metrics::evaluate(input));
    json["results"][name] = metrics::to_json(results.back().second);
  };
  add("restored", read_restored(restored.reader, restored_rows, truth.reader.dim()));
  if (!arguments.observed.empty()) {
    const ObjectFile observed(arguments.observed);
    const std::vector<std::uint64_t> observed_rows = matched_rows(observed, wanted);
    const at::Tensor observed_ND = read_rows(observed.reader, observed_rows);
    if (observed.reader.dim() == truth.reader.dim()) add("observed", observed_ND);
    if (!arguments.prior.empty()) {
      const baselines::QuasarReferences references =
          references_of(arguments, truth.reader, observed.reader, observed_rows, input.truth_ND, observed_ND, ids);
      add("best_linear_estimator", references.linear_BD);
      add("exact_posterior_mean", references.exact.mean_BD);
      add("exact_posterior_draw", references.exact.draw_BD);
      json["mmse_bound_data_units"] = references.mmse_bound;
      json["rmse_over_exact_draw"] = results.front().second.rmse.value / results.back().second.rmse.value;
    }
  }
  const bool several = draws_of_row(restored.reader, truth.reader.dim()) > 1 && !input.valid_ND.defined();
  if (several) json["draws"] = evaluate_draws(restored.reader, input.truth_ND);
  print_table(results);
  if (several) print_draws(json["draws"]);
  if (json.contains("rmse_over_exact_draw")) fmt::print("RMSE over that of one exact posterior draw: {:.3f}\n", json["rmse_over_exact_draw"].get<double>());
  if (!arguments.json.empty()) write_file_atomically(arguments.json, json_text(json, 2) + "\n");
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  auto arguments = std::make_shared<EvaluateArguments>();
  CLI::App* command = app.add_subcommand("evaluate", "compare restored with true signals");
  command->add_option("--truth", arguments->truth, "HDF5 file with the true signals (or reference observations with ivar)")->required();
  command->add_option("--restored", arguments->restored, "HDF5 file with the restored signals; rows are matched by /object_id")->required();
  command->add_option("--observed", arguments->observed, "HDF5 file with the observations: adds them as a row");
  command->add_option("--reference", arguments->reference, "HDF5 file with other clean signals, three times as many or more: the excess SW2 is measured against them");
  command->add_option("--prior", arguments->prior, "eBOSS quasar prior (npz or wheel): adds the exact references of the semi-synthetic set");
  command->add_option("--data-range", arguments->data_range, "of the PSNR, in data units (default: the truth's largest minus smallest value)");
  command->add_option("--json", arguments->json, "file for the same figures, units in the keys");
  command->footer(
      "Example: unchannel evaluate --truth signals.h5 --restored restored.h5 --observed observed.h5 --json figures.json\n"
      "Exit codes: 0 done, 2 usage, 4 data (rows that do not match, shapes), 5 numerical");
  command->callback([arguments] { evaluate(*arguments); });
}

}  // namespace unchannel
