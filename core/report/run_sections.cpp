#include "run_sections.hpp"

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include <unchannel/base/error.hpp>
#include <unchannel/base/progress.hpp>

namespace unchannel::report {
namespace {

using Getter = std::function<double(const Evaluation&)>;

Panel curve(const std::string& x_label, const Getter& x, const std::string& y_label, const Getter& y, Tone tone,
            const std::vector<Evaluation>& evaluations) {
  Panel panel;
  panel.x.label = x_label;
  panel.y.label = y_label;
  Series series;
  series.tone = tone;
  series.width = 1.8;
  for (const Evaluation& evaluation : evaluations) {
    series.x.push_back(x(evaluation));
    series.y.push_back(y(evaluation));
  }
  Series points = series;
  points.mark = Mark::kPoints;
  panel.series = {series, points};
  return panel;
}

std::string figure_of(double value, const char* unit = "") { return std::isfinite(value) ? fmt::format("{:.4g}{}", value, unit) : "not recorded"; }

std::string percent(double fraction) { return std::isfinite(fraction) ? fmt::format("{:.2f} %", 100 * fraction) : "not recorded"; }

/// Nested objects as "a.b", in order.
void flatten(const nlohmann::json& value, const std::string& name, std::vector<std::pair<std::string, std::string>>& items) {
  if (value.is_object() && !value.empty()) {
    for (const auto& [key, member] : value.items()) flatten(member, name.empty() ? key : name + "." + key, items);
  } else {
    items.emplace_back(name, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

}  // namespace

Figure training_figure(const std::vector<Evaluation>& evaluations) {
  const Getter steps = [](const Evaluation& e) { return e.step; };
  const Getter calls = [](const Evaluation& e) { return e.network_calls / 1000; };
  const Getter minutes = [](const Evaluation& e) { return e.elapsed_s / 60; };
  const Getter loss = [](const Evaluation& e) { return e.step > 0 ? e.loss : Evaluation::kAbsent; };  // before the first step there is none
  const Getter gap = [](const Evaluation& e) { return 100 * e.gap_excess_relative; };
  const Getter rmse = [](const Evaluation& e) { return e.monitor_rmse; };
  bool monitored = false;
  for (const Evaluation& evaluation : evaluations) monitored = monitored || std::isfinite(evaluation.monitor_rmse);

  Figure figure;
  figure.panels.push_back(curve("step", steps, "loss", loss, Tone::kBlue, evaluations));
  figure.panels.push_back(curve("step", steps, "consistency gap [% of spread]", gap, Tone::kGreen, evaluations));
  if (monitored) {
    figure.panels.push_back(curve("network calls [thousand]", calls, "RMSE [data units]", rmse, Tone::kOrange, evaluations));
    figure.panels.push_back(curve("time [min]", minutes, "RMSE [data units]", rmse, Tone::kOrange, evaluations));
  } else {
    figure.panels.push_back(curve("network calls [thousand]", calls, "consistency gap [% of spread]", gap, Tone::kGreen, evaluations));
    figure.panels.push_back(curve("time [min]", minutes, "consistency gap [% of spread]", gap, Tone::kGreen, evaluations));
  }
  for (Panel& panel : figure.panels) {
    if (panel.y.label.starts_with("consistency")) panel.y.low = 0;
  }
  figure.arrange(2, 270);
  figure.description = "Loss, consistency gap and error of the run over steps, network calls and time";
  return figure;
}

void add_run_section(HtmlPage& page, const RunHistory& history, const std::vector<std::pair<std::string, std::string>>& summary) {
  page.section("Run");
  page.facts(summary);
  page.folded("Complete configuration", history.configuration);
}

void add_training_section(HtmlPage& page, const RunHistory& history) {
  page.section("Training");
  if (history.evaluations.empty()) {
    page.paragraph("This run has not recorded any evaluation yet.");
    return;
  }
  const Evaluation& last = history.evaluations.back();
  std::vector<std::pair<std::string, std::string>> items = {
      {"steps", fmt::format("{:.0f}", last.step)},
      {"time", format_duration(last.elapsed_s)},
      {"network calls", figure_of(last.network_calls)},
      {"consistency gap, early-stop split", percent(last.gap_excess_relative) + " of the observations' spread"}};
  if (history.test) items.emplace_back("consistency gap, test split", percent(history.test->gap_excess_relative) + " of the observations' spread");
  if (std::isfinite(last.monitor_rmse)) items.emplace_back("RMSE on the monitored signals", figure_of(last.monitor_rmse));
  page.facts(items);
  page.figure(render_figure(training_figure(history.evaluations)),
              "Loss (running mean) and consistency gap: the excess sliced Wasserstein distance between re-simulated restorations of one half of "
              "the held-out observations and the other half, as a share of the observations' spread. It needs no clean data. One network call "
              "is one forward pass on a batch; a backward pass counts two.");
}

void add_provenance_section(HtmlPage& page, const RunHistory& history) {
  page.section("Provenance");
  if (history.provenance.empty()) {
    page.paragraph("The run folder holds no provenance.json.");
    return;
  }
  std::vector<std::pair<std::string, std::string>> items;
  flatten(nlohmann::json::parse(history.provenance), "", items);
  page.facts(items);
}

}  // namespace unchannel::report
