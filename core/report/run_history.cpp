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
  return {number(line, "step"),          number(line, "elapsed_s"),           number(line, "network_calls"), number(line, "loss"),
          number(line, "gap_sliced_w2"), number(line, "gap_excess_relative"), number(line, "gap_energy"),    number(line, "monitor_rmse")};
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
    if (line.value("split", std::string("early_stop")) == "test") {
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
