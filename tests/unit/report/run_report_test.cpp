#include <gtest/gtest.h>

#include <ATen/ops/empty.h>

#include <cmath>
#include <fstream>
#include <unchannel/base/error.hpp>
#include <unchannel/base/random.hpp>
#include <unchannel/report/run_sections.hpp>
#include <unchannel/report/spectra_figures.hpp>
#include <unchannel/report/tensor_ops.hpp>
#include <unchannel/report/verdict_section.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "well_formed.hpp"

namespace unchannel::report {
namespace {

using report_test::page_problems;

void write(const std::filesystem::path& path, const std::string& text) { std::ofstream(path) << text; }

class RunReport : public ::testing::Test {
 protected:
  void SetUp() override { write(run / "config.resolved.toml", "# <resolved>\n[scsi]\nsteps = 20\n"); }
  test_support::TempDir folder;
  std::filesystem::path run = folder.path();
};

std::string page_of(const RunHistory& history) {
  HtmlPage page("run", "");
  add_run_section(page, history, {{"channel", "org.example <1>"}});
  add_verdict_section(page, history);
  add_training_section(page, history);
  add_provenance_section(page, history);
  return page.html();
}

TEST_F(RunReport, OfAFinishedRunWithoutTruthShowsCurvesAndGaps) {
  write(run / "metrics.jsonl",
        "{\"step\":0,\"elapsed_s\":1,\"network_calls\":0,\"loss\":0,\"gap_excess_relative\":0.2}\n"
        "{\"step\":10,\"elapsed_s\":61,\"network_calls\":30,\"loss\":0.5,\"gap_excess_relative\":0.04}\n"
        "{\"step\":20,\"elapsed_s\":125,\"network_calls\":60,\"loss\":0.25,\"gap_excess_relative\":0.0125}\n"
        "{\"step\":20,\"split\":\"test\",\"gap_excess_relative\":0.0375}\n");
  write(run / "provenance.json", "{\"git\":\"abc\",\"channel\":{\"id\":\"org.example\"}}");
  const RunHistory history = read_run_history(run);
  ASSERT_EQ(history.evaluations.size(), 3U);
  EXPECT_TRUE(std::isnan(history.evaluations[1].monitor_rmse));
  const std::string page = page_of(history);
  EXPECT_EQ(page_problems(page), std::vector<std::string>{});
  for (const char* expected : {"1.25 % of the observations", "3.75 % of the observations", "2 min 05 s", "channel.id", "org.example &lt;1&gt;",
                               "&lt;resolved&gt;", "consistency gap [% of spread]"}) {
    EXPECT_NE(page.find(expected), std::string::npos) << expected;
  }
  EXPECT_EQ(page.find("posterior"), std::string::npos);
}

TEST_F(RunReport, ShowsTheVerdictWithItsReasonsAndFigures) {
  write(run / "metrics.jsonl",
        "{\"step\":0,\"outer_iterations\":0,\"gap_excess_relative\":0.2}\n"
        "{\"step\":20,\"outer_iterations\":3,\"gap_excess_relative\":0.05}\n"
        "{\"step\":20,\"verdict\":\"still contracting\",\"reason\":\"some <remain>\",\"remedy\":\"Train longer.\",\"margin_fraction\":0.1,"
        "\"contraction\":{\"rate_per_outer_iteration\":0.75,\"rate_interval_95\":[0.7,0.8],\"remaining_fraction\":0.125,\"ahead_fraction_95\":[0.05,0.0875],"
        "\"curve_outer_iterations\":[1,2,3],\"curve_fraction\":[0.3,0.2,null],\"curve_fitted_fraction\":[0.3,0.2,0.1]},"
        "\"test\":{\"gap_fraction\":0.0625,\"fit_gap_fraction\":0.03125,\"error_fraction\":0.015,\"p_value\":0.04,\"power\":0.875},"
        "\"recoverability\":[{\"rank\":1,\"spread_data_units\":2,\"condition\":1.5625,\"spread_error_fraction\":0.0125,\"data_determined\":true},"
        "{\"rank\":7,\"spread_data_units\":0.5,\"condition\":900,\"condition_is_bound\":true,\"spread_error_fraction\":0.3,\"data_determined\":false}]}\n");
  const RunHistory history = read_run_history(run);
  EXPECT_EQ(history.evaluations.size(), 2U) << "a verdict is no evaluation";
  EXPECT_TRUE(std::isnan(history.verdict.value().moving.back()));
  const std::string page = page_of(history);
  EXPECT_EQ(page_problems(page), std::vector<std::string>{});
  for (const char* expected : {"still contracting", "some &lt;remain&gt;", "Train longer.", "rate 0.750 per outer iteration, 95 % interval 0.700 to 0.800", "12.5 %", "8.8 %",
                               "6.2 % ± 1.5 %", "3.1 %", "p = 0.04", "in 88 % of such runs", "outer iterations", "1.56",
                               "&gt; 900", "&gt; 30.0 %", "prior"}) {
    EXPECT_NE(page.find(expected), std::string::npos) << expected;
  }
}

TEST_F(RunReport, AVerdictWithoutFiguresIsShownInWords) {
  write(run / "metrics.jsonl", "{\"step\":0,\"gap_excess_relative\":0.2}\n{\"step\":0,\"verdict\":\"cannot tell\",\"reason\":\"1 evaluation\"}\n");
  const std::string page = page_of(read_run_history(run));
  EXPECT_EQ(page_problems(page), std::vector<std::string>{});
  EXPECT_NE(page.find("1 evaluation"), std::string::npos);
  EXPECT_EQ(page.find("power"), std::string::npos);
}

TEST_F(RunReport, OfARunThatHasNotEvaluatedYetSaysSo) {
  const std::string page = page_of(read_run_history(run));
  EXPECT_NE(page.find("has not recorded any evaluation yet"), std::string::npos);
  EXPECT_NE(page.find("no provenance.json"), std::string::npos);
  EXPECT_NE(page.find("This run has no verdict"), std::string::npos);
}

TEST_F(RunReport, ALastLineCutShortByACrashIsLeftOut) {
  write(run / "metrics.jsonl", "{\"step\":0,\"loss\":1}\n{\"step\":10,\"lo");
  EXPECT_EQ(read_run_history(run).evaluations.size(), 1U);
}

TEST_F(RunReport, ADamagedLineIsNamed) {
  write(run / "metrics.jsonl", "{\"step\":0}\nnonsense\n{\"step\":10}\n");
  try {
    read_run_history(run);
    FAIL() << "nothing was thrown";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find("metrics.jsonl:2"), std::string::npos) << error.what();
  }
}

TEST(RunHistory, AFolderThatIsNoRunIsAConfigError) {
  const test_support::TempDir folder;
  EXPECT_THROW(read_run_history(folder.path()), ConfigError);
}

PixelAxis observed_frame() {
  PixelAxis axis;
  for (int d = 0; d < 64; ++d) axis.position.push_back(4000 * std::exp(d * std::log(5320.0 / 4000) / 63));
  axis.is_wavelength = true;
  axis.medium = "vacuum";
  return axis;
}

SpectrumExample example(const PixelAxis& axis, double redshift) {
  SpectrumExample result;
  result.redshift = redshift;
  for (const double wavelength : axis.position) {
    result.truth.push_back(std::exp(-std::pow((wavelength / (1 + redshift) - 1216) / 12, 2)));
    result.observed.push_back(result.truth.back() + 0.3 * std::sin(wavelength * 77));
  }
  result.restored = result.truth;
  return result;
}

TEST(SpectraFigure, ZoomsOnLinesInCoverageOnly) {
  const PixelAxis axis = observed_frame();
  // z = 3: Ly α at 4863 Å and Ly β at 4103 Å lie on the grid; z = 3.3: the grid begins at rest 930 Å, both too; z = 0.5: none.
  EXPECT_EQ(spectra_figure(axis, {example(axis, 3)}, "flux").panels.size(), 3U);
  EXPECT_EQ(spectra_figure(axis, {example(axis, 0.5)}, "flux").panels.size(), 1U);
  const Figure figure = spectra_figure(axis, {example(axis, 3)}, "flux");
  EXPECT_EQ(figure.panels[1].markers.at(0).label, "Ly α");
  EXPECT_NEAR(figure.panels[1].markers.at(0).x, 4 * 1215.67, 1e-9);
}

TEST(SpectraFigure, WithoutRedshiftOrTruthShowsTheSpectrumAlone) {
  const PixelAxis axis = observed_frame();
  SpectrumExample unknown = example(axis, 3);
  unknown.redshift = NAN;
  unknown.truth.clear();
  const Figure figure = spectra_figure(axis, {unknown}, "flux");
  ASSERT_EQ(figure.panels.size(), 1U);
  EXPECT_EQ(figure.panels[0].series.size(), 2U);
  EXPECT_EQ(page_problems(render_figure(figure)), std::vector<std::string>{});
  EXPECT_EQ(pixel_numbers(5).label(), "pixel");
}

TEST(ResidualFigure, ShowsEqualLawsAsEqual) {
  at::Tensor residual = at::empty({40, 30}, at::kFloat);
  RandomKey(1).normal(0, 0, 1200, residual.mutable_data_ptr<float>());
  const Figure figure = residual_figure(residual, residual);
  ASSERT_EQ(figure.panels.size(), 2U);
  for (const Panel& panel : figure.panels) EXPECT_EQ(panel.series[0].y, panel.series[1].y);
}

TEST(ResidualFigure, PixelsThatWereNotObservedAreLeftOut) {
  at::Tensor residual = at::empty({40, 30}, at::kFloat);
  RandomKey(1).normal(0, 0, 1200, residual.mutable_data_ptr<float>());
  at::Tensor wider = at::empty({40, 60}, at::kFloat).fill_(NAN);
  wider.slice(1, 0, 30).copy_(residual);
  const Figure figure = residual_figure(residual, residual), masked = residual_figure(wider, wider);
  for (std::size_t i = 0; i < 2; ++i) EXPECT_EQ(figure.panels[i].series[0].y, masked.panels[i].series[0].y);
}

TEST(SpreadFigure, TheRatioIsToTheTruth) {
  const Figure figure = spread_figure(pixel_numbers(2), {2, 4}, {{"restored", {1, 4}, Tone::kOrange, Mark::kLine}});
  const std::vector<double> expected = {0.5, 1};
  EXPECT_EQ(figure.panels.at(1).series.at(1).y, expected);
}

}  // namespace
}  // namespace unchannel::report
