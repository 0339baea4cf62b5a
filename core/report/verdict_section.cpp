#include "verdict_section.hpp"

#include <cmath>

#include <fmt/core.h>

namespace unchannel::report {
namespace {

std::string percent(double fraction) { return std::isfinite(fraction) ? fmt::format("{:.1f} %", 100 * fraction) : "not measured"; }

Series series(std::vector<double> x, std::vector<double> y, Tone tone, Mark mark, const std::string& label) {
  Series result;
  result.label = label;
  result.x = std::move(x);
  result.y = std::move(y);
  result.tone = tone;
  result.mark = mark;
  result.width = 1.8;
  return result;
}

std::vector<double> in_percent(std::vector<double> fractions) {
  for (double& value : fractions) value *= 100;
  return fractions;
}

/// A level across the panel.
void add_level(Panel& panel, double begin, double end, double level, const std::string& label) {
  panel.series.push_back(series({begin, end}, in_percent({level, level}), Tone::kGrey, Mark::kDashed, label));
}

Table recoverability_table(const std::vector<RecordedDirection>& directions) {
  Table table;
  table.columns = {
      {"direction", "principal direction of the learnt signals, 1: largest variance", true},
      {"spread", "of the signals along it, data units", true},
      {"condition", "change of the law of signals over change of the law of observations: ((1 + c)/c)² for unit white noise and variance c",
       true},
      {"spread known to", "relative error to which so many observations fix the spread", true},
      {"determined by", "the data where that is 10 % or less, else the start and the model", false}};
  for (const RecordedDirection& d : directions) {
    table.rows.push_back({{fmt::format("{:.0f}", d.rank), fmt::format("{:.3g}", d.spread),
                           fmt::format("{}{:.3g}", d.condition_is_bound ? "> " : "", d.condition),
                           (d.condition_is_bound ? "> " : "") + percent(d.spread_error), d.data_determined ? "data" : "prior"},
                          "",
                          false});
  }
  return table;
}

}  // namespace

Figure verdict_figure(const RunHistory& history) {
  const RecordedVerdict& verdict = *history.verdict;
  Panel moving;
  moving.x.label = "outer iterations";
  moving.y.label = "distance from the last [% of spread]";
  const double last = verdict.fitted.empty() ? 0.0 : verdict.fitted.back();  // what lies between two finite samples is in all of them alike
  const auto movement = [last](std::vector<double> fractions) {
    for (double& value : fractions) value -= last;
    return in_percent(std::move(fractions));
  };
  moving.series = {series(verdict.outer_iterations, movement(verdict.moving), Tone::kBlue, Mark::kPoints, "movement"),
                   series(verdict.outer_iterations, movement(verdict.fitted), Tone::kBlue, Mark::kLine, "fit")};
  for (const double level : {verdict.margin / 2, -verdict.margin / 2})
    add_level(moving, verdict.outer_iterations.front(), verdict.outer_iterations.back(), level, "limits");
  Panel gap;
  gap.x.label = "outer iterations";
  gap.y.label = "consistency gap [% of spread]";
  gap.y.low = 0;
  std::vector<double> outer, gaps;
  for (const Evaluation& evaluation : history.evaluations) {
    outer.push_back(evaluation.outer_iterations);
    gaps.push_back(evaluation.gap_excess_relative);
  }
  gap.series = {series(outer, in_percent(gaps), Tone::kGreen, Mark::kLine, "")};
  add_level(gap, outer.front(), outer.back(), verdict.margin, "limits");
  Figure figure;
  figure.panels = {moving, gap};
  figure.arrange(2, 270);
  figure.description = "Movement of the simulated observations and consistency gap over the outer iterations";
  return figure;
}

void add_verdict_section(HtmlPage& page, const RunHistory& history) {
  page.section("Convergence");
  if (!history.verdict) {
    page.paragraph(
        "This run has no verdict: it is not finished, has no outer iteration (scsi.refresh_every = 0), or verdict.replicas is 0. "
        "`unchannel train --resume` gives one at its end.");
    return;
  }
  const RecordedVerdict& verdict = *history.verdict;
  std::vector<std::pair<std::string, std::string>> items = {{"verdict", verdict.word}, {"reason", verdict.reason}};
  if (!verdict.remedy.empty()) items.emplace_back("what to do", verdict.remedy);
  if (std::isfinite(verdict.rate)) {
    items.emplace_back("contraction", fmt::format("rate {:.3f} per outer iteration, 95 % interval {:.3f} to {:.3f}", verdict.rate,
                                                  verdict.rate_low, verdict.rate_high));
    items.emplace_back("remaining distance",
                       std::isfinite(verdict.remaining) ? percent(verdict.remaining) + " of the spread" : "no limit is in sight");
    items.emplace_back("over as many outer iterations again", "at most " + percent(verdict.ahead_high) + " of the spread");
  }
  if (std::isfinite(verdict.p_value)) {
    items.emplace_back("gap, test observations",
                       fmt::format("{} ± {} of the spread along the directions in which it is largest, p = {:.2g}", percent(verdict.gap),
                                   percent(verdict.gap_error), verdict.p_value));
    items.emplace_back("the same if the simulator were right", percent(verdict.fit_gap));
    items.emplace_back("power", fmt::format("a difference of the margin, {}, would be found in {:.0f} % of such runs",
                                            percent(verdict.margin), 100 * verdict.power));
  }
  page.facts(items);
  if (!verdict.directions.empty()) page.table(recoverability_table(verdict.directions));
  if (verdict.outer_iterations.empty() || history.evaluations.empty()) return;
  page.figure(render_figure(verdict_figure(history)),
              "Left: mean or spread of the simulated observations along the direction in which it moves most, less its last fitted value, "
              "with the fitted "
              "geometric approach to its limit; dashed: half the margin, within which it counts as at rest. Right: consistency gap of the "
              "early-stop observations; "
              "dashed: the margin. One outer iteration transports as many signals as the pool holds.");
}

}  // namespace unchannel::report
