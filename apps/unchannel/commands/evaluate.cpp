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
#include <numeric>
#include <optional>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/output_file.hpp>
#include <unchannel/data/dataset.hpp>
#include <unchannel/metrics/evaluation.hpp>
#include <unordered_map>

#include "../evaluation/quasar_set.hpp"
#include "commands.hpp"

// Shape legend: N objects · D pixels
namespace unchannel {
namespace {

struct EvaluateArguments {
  std::string truth, restored, observed, reference, prior, json;
  double data_range = 0;
};

/// A data file and the row of each object in it.
struct ObjectFile {
  DatasetReader reader;
  std::optional<std::unordered_map<std::int64_t, std::uint64_t>> row_of;  // absent: the file has no ids

  explicit ObjectFile(const std::string& path) : reader(path) {
    const auto ids = reader.object_ids();
    if (!ids) return;
    row_of.emplace();
    for (std::size_t row = 0; row < ids->size(); ++row) {
      check<DataError>(row_of->emplace((*ids)[row], row).second, "{}: object_id {} occurs twice; rows are matched by it, so it must be unique.", path, (*ids)[row]);
    }
  }
};

/// Rows of `file` that hold the objects `ids`, in that order. Where neither file has ids, rows are matched by their order.
std::vector<std::uint64_t> matched_rows(const ObjectFile& file, const ObjectFile& restored, const std::vector<std::int64_t>& ids) {
  const std::string path = file.reader.path().string(), other = restored.reader.path().string();
  check<DataError>(file.row_of.has_value() == restored.row_of.has_value(),
                   "{} and {}: one file has /object_id and the other not, so their rows cannot be matched. Write both with the same version of "
                   "unchannel, or remove /object_id from the one that has it to match by row order.", path, other);
  std::vector<std::uint64_t> rows;
  if (!file.row_of) {
    check<DataError>(file.reader.rows() == restored.reader.rows(), "{} has {} rows and {} has {}; without /object_id they must agree.", path, file.reader.rows(), other,
                     restored.reader.rows());
    for (std::uint64_t row = 0; row < file.reader.rows(); ++row) rows.push_back(row);
    return rows;
  }
  std::size_t missing = 0;
  std::int64_t first_missing = 0;
  for (const std::int64_t id : ids) {
    const auto found = file.row_of->find(id);
    if (found != file.row_of->end()) rows.push_back(found->second);
    else if (missing++ == 0) first_missing = id;
  }
  check<DataError>(missing == 0, "{}: {} of the {} objects of {} are not in it, the first with object_id {}. Give the file these observations were made from.", path, missing,
                   ids.size(), other, first_missing);
  return rows;
}

at::Tensor read_matrix(const DatasetReader& reader, const std::vector<std::uint64_t>& rows) {
  at::Tensor x_ND = at::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(reader.dim())}, at::kFloat);
  reader.read_rows(std::span(rows), {x_ND.mutable_data_ptr<float>(), static_cast<std::size_t>(x_ND.numel())});
  return x_ND;
}

/// Restored signals; of several transport samples of an object the first.
at::Tensor read_restored(const DatasetReader& reader, const std::vector<std::uint64_t>& rows, std::uint64_t dim) {
  const at::Tensor x = read_matrix(reader, rows);
  const auto samples = reader.row_shape().size() > 1 && reader.row_shape()[0] * dim == reader.dim() ? reader.row_shape()[0] : 1;
  check<ShapeError>(samples * dim == reader.dim(), "{}: a row has {} elements and the truth's {}; they must be signals of one grid.", reader.path().string(), reader.dim(), dim);
  return x.slice(1, 0, static_cast<std::int64_t>(dim)).contiguous();
}

/// What is known about the truth: its values, mask, own noise, wavelengths, redshifts.
metrics::EvaluationInput read_truth(const DatasetReader& reader, const std::vector<std::uint64_t>& rows) {
  metrics::EvaluationInput input;
  input.truth_ND = read_matrix(reader, rows);
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
  std::vector<std::int64_t> ids = restored.reader.object_ids().value_or(std::vector<std::int64_t>{});
  std::vector<std::uint64_t> restored_rows(restored.reader.rows());
  for (std::size_t row = 0; row < restored_rows.size(); ++row) restored_rows[row] = row;
  const std::vector<std::uint64_t> truth_rows = matched_rows(truth, restored, ids);
  if (ids.empty()) ids.assign(restored_rows.begin(), restored_rows.end());

  metrics::EvaluationInput input = read_truth(truth.reader, truth_rows);
  input.data_range = arguments.data_range;
  input.image_shape.assign(truth.reader.row_shape().begin(), truth.reader.row_shape().end());
  if (!arguments.reference.empty()) {
    const DatasetReader reference(arguments.reference, DatasetKind::signals);
    check<ShapeError>(reference.dim() == truth.reader.dim(), "{}: a row has {} elements and the truth's {}.", arguments.reference, reference.dim(), truth.reader.dim());
    std::vector<std::uint64_t> rows(reference.rows());
    std::iota(rows.begin(), rows.end(), std::uint64_t{0});
    input.reference_MD = read_matrix(reference, rows);
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
    const std::vector<std::uint64_t> observed_rows = matched_rows(observed, restored, restored.row_of ? ids : std::vector<std::int64_t>{});
    const at::Tensor observed_ND = read_matrix(observed.reader, observed_rows);
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
  print_table(results);
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
