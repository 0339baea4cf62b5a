#include "run_history.hpp"

#include <nlohmann/json.hpp>
#include <sstream>

#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/run/run_folder.hpp>

namespace unchannel::report {
namespace {

double number(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  // A diverged run logs infinities, which JSON writes as null.
  return found != line.end() && found->is_number() ? found->get<double>() : Evaluation::kAbsent;
}

Evaluation evaluation(const nlohmann::json& line) {
  return {number(line, "step"),          number(line, "elapsed_s"),           number(line, "network_calls"),       number(line, "outer_iterations"),
          number(line, "loss"),          number(line, "gap_sliced_w2"),       number(line, "gap_excess_relative"), number(line, "gap_energy"),
          number(line, "monitor_rmse")};
}

/// A member that is an object, else an empty one.
nlohmann::json object(const nlohmann::json& line, const char* key) {
  const auto found = line.find(key);
  return found != line.end() && found->is_object() ? *found : nlohmann::json::object();
}

std::vector<double> numbers(const nlohmann::json& line, const char* key) {
  std::vector<double> values;
  const auto found = line.find(key);
  if (found == line.end() || !found->is_array()) return values;
  for (const nlohmann::json& value : *found) values.push_back(value.is_number() ? value.get<double>() : Evaluation::kAbsent);
  return values;
}

std::vector<RecordedDirection> recorded_directions(const nlohmann::json& line) {
  std::vector<RecordedDirection> directions;
  const auto found = line.find("recoverability");
  if (found == line.end() || !found->is_array()) return directions;
  for (const nlohmann::json& d : *found) {
    directions.push_back({number(d, "rank"), number(d, "spread_data_units"), number(d, "condition"), d.value("condition_is_bound", false),
                          number(d, "spread_error_fraction"), d.value("data_determined", false)});
  }
  return directions;
}

RecordedVerdict recorded_verdict(const nlohmann::json& line) {
  const nlohmann::json test = object(line, "test"), contraction = object(line, "contraction");
  std::vector<double> interval = numbers(contraction, "rate_interval_95"), ahead = numbers(contraction, "ahead_fraction_95");
  interval.resize(2, Evaluation::kAbsent);
  ahead.resize(2, Evaluation::kAbsent);
  return {.word = line.value("verdict", std::string()),
          .reason = line.value("reason", std::string()),
          .remedy = line.value("remedy", std::string()),
          .margin = number(line, "margin_fraction"),
          .gap = number(test, "gap_fraction"),
          .fit_gap = number(test, "fit_gap_fraction"),
          .gap_error = number(test, "error_fraction"),
          .p_value = number(test, "p_value"),
          .power = number(test, "power"),
          .rate = number(contraction, "rate_per_outer_iteration"),
          .rate_low = interval[0],
          .rate_high = interval[1],
          .remaining = number(contraction, "remaining_fraction"),
          .ahead_high = ahead[1],
          .outer_iterations = numbers(contraction, "curve_outer_iterations"),
          .moving = numbers(contraction, "curve_fraction"),
          .fitted = numbers(contraction, "curve_fitted_fraction"),
          .directions = recorded_directions(line)};
}

void read_metrics(const std::filesystem::path& path, RunHistory& history) {
  if (!std::filesystem::exists(path)) return;
  const std::string content = read_file(path);
  std::istringstream lines(content);
  std::string text;
  for (int row = 1; std::getline(lines, text); ++row) {
    if (text.empty()) continue;
    const nlohmann::json line = nlohmann::json::parse(text, nullptr, false);
    if (!line.is_object()) {
      const bool torn = lines.eof() && content.back() != '\n';
      check<DataError>(torn, "{}:{}: is no JSON object. The file is damaged; remove that line.", path.string(), row);
      return;
    }
    if (line.contains("verdict")) {
      history.verdict = recorded_verdict(line);
    } else if (line.value("split", std::string("early_stop")) == "test") {
      history.test = evaluation(line);
    } else {
      history.evaluations.push_back(evaluation(line));
    }
  }
}

}  // namespace

RunHistory read_run_history(const std::filesystem::path& run) {
  const std::filesystem::path config = RunFolder::config_path(run), provenance = run / "provenance.json";
  check<ConfigError>(std::filesystem::exists(config), "{}: is no run folder (no config.resolved.toml). Name the folder given to train --run.",
                     run.string());
  RunHistory history;
  history.configuration = read_file(config);
  if (std::filesystem::exists(provenance)) {
    history.provenance = read_file(provenance);
    check<DataError>(nlohmann::json::accept(history.provenance), "{}: is no JSON. The file is damaged; remove it to report without it.",
                     provenance.string());
  }
  read_metrics(run / "metrics.jsonl", history);
  return history;
}

}  // namespace unchannel::report
