#include "posterior_section.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include <fmt/core.h>

#include <unchannel/base/error.hpp>

namespace unchannel::report {
namespace {

std::filesystem::path calibration_path(const std::filesystem::path& run) { return run / "posterior" / "calibration.json"; }

Panel rank_panel(const std::string& title, const std::vector<double>& shares) {
  Series measured, flat;
  measured.tone = Tone::kBlue;
  measured.mark = Mark::kFilledSteps;
  flat.tone = Tone::kGrey;
  flat.mark = Mark::kDashed;
  const auto bins = static_cast<double>(shares.size());
  for (std::size_t bin = 0; bin < shares.size(); ++bin) {
    measured.x.push_back((static_cast<double>(bin) + 0.5) / bins);
    measured.y.push_back(shares[bin] * bins);
  }
  flat.x = {0.0, 1.0};
  flat.y = {1.0, 1.0};
  Panel panel;
  panel.title = title;
  panel.x.label = "rank of the truth among the draws";
  panel.y = {.label = "density", .low = 0};
  panel.series = {measured, flat};
  return panel;
}

}  // namespace

bool holds_calibration(const std::filesystem::path& run) { return std::filesystem::exists(calibration_path(run)); }

RecordedCalibration read_calibration(const std::filesystem::path& run) {
  std::ifstream in(calibration_path(run));
  try {
    const nlohmann::json json = nlohmann::json::parse(in);
    RecordedCalibration result;
    result.pairs = json.at("pairs");
    result.samples = json.at("samples");
    result.coverage_50 = json.at("coverage_50").at("value");
    result.coverage_50_error = json.at("coverage_50").at("standard_error");
    result.coverage_90 = json.at("coverage_90").at("value");
    result.coverage_90_error = json.at("coverage_90").at("standard_error");
    result.direction_p_value = json.at("sbc_directions").at("p_value");
    result.element_p_value = json.at("sbc_elements").at("p_value");
    result.tarp_p_value = json.at("tarp").at("p_value");
    result.direction_histogram = json.at("sbc_directions").at("histogram").get<std::vector<double>>();
    result.element_histogram = json.at("sbc_elements").at("histogram").get<std::vector<double>>();
    result.tarp_histogram = json.at("tarp").at("histogram").get<std::vector<double>>();
    result.mean_rmse = json.at("mean_rmse_data_units");
    result.draw_rmse = json.at("draw_rmse_data_units");
    result.spread = json.at("spread_data_units");
    return result;
  } catch (const nlohmann::json::exception& error) {
    throw DataError(fmt::format("{}: is damaged: {}. Measure again with unchannel posterior --resume.", calibration_path(run).string(), error.what()));
  }
}

Figure calibration_figure(const RecordedCalibration& calibration) {
  Figure figure;
  figure.panels = {rank_panel("principal directions", calibration.direction_histogram), rank_panel("single elements", calibration.element_histogram),
                   rank_panel("distance to a reference (TARP)", calibration.tarp_histogram)};
  figure.arrange(3, 250);
  figure.description = "Histograms of the ranks of true signals among posterior draws";
  return figure;
}

void add_posterior_section(HtmlPage& page, const std::filesystem::path& run) {
  if (!holds_calibration(run)) return;
  const RecordedCalibration c = read_calibration(run);
  page.section("Posterior");
  page.paragraph(fmt::format(
      "Measured on {:.0f} simulated pairs whose signals the sampler has not learnt, {:.0f} draws for each. Intervals are those of the learnt prior and "
      "leave out its own uncertainty; draws pooled over runs with other keys (restore --ensemble) hold a part of it.",
      c.pairs, c.samples));
  const auto percent = [](double value, double error) { return fmt::format("{:.1f} ± {:.1f} %", 100 * value, 100 * error); };
  page.facts({{"50 % intervals hold", percent(c.coverage_50, c.coverage_50_error)},
              {"90 % intervals hold", percent(c.coverage_90, c.coverage_90_error)},
              {"uniform ranks, principal directions", fmt::format("p = {:.2g}", c.direction_p_value)},
              {"uniform ranks, single elements", fmt::format("p = {:.2g}", c.element_p_value)},
              {"TARP", fmt::format("p = {:.2g}", c.tarp_p_value)},
              {"error of the draws' mean", fmt::format("{:.4g} data units", c.mean_rmse)},
              {"error of one draw", fmt::format("{:.4g} data units", c.draw_rmse)},
              {"spread of the draws", fmt::format("{:.4g} data units", c.spread)}});
  page.figure(render_figure(calibration_figure(c)),
              "Ranks of the true signals among the draws; dashed: a calibrated posterior. A hill in the middle: draws too wide; high borders: too narrow; "
              "a slope: shifted. p-values are those of χ² tests, multiplied by the number of directions or elements.");
}

}  // namespace unchannel::report
