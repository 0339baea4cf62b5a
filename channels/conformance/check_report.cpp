#include "check_report.hpp"

#include <nlohmann/json.hpp>
#include <unchannel/base/atomic_file.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel::conformance {

const char* verdict_name(Verdict verdict) {
  switch (verdict) {
    case Verdict::pass:
      return "pass";
    case Verdict::fail:
      return "fail";
    case Verdict::skip:
      return "skip";
    case Verdict::untested:
      return "untested";
  }
  return "fail";
}

Verdict verdict_from_name(const std::string& name) {
  for (const Verdict verdict : {Verdict::pass, Verdict::fail, Verdict::skip, Verdict::untested}) {
    if (name == verdict_name(verdict)) return verdict;
  }
  throw DataError(fmt::format("'{}' is no verdict.", name));
}

std::string outcome_text(const CheckOutcome& outcome) {
  const CheckAnswer& answer = outcome.answer;
  std::string text =
      fmt::format("{:<8}  {:<17} {:>7.2f} s  {}\n", verdict_name(answer.verdict), outcome.info->id, outcome.elapsed_s, outcome.info->claim);
  const std::string indent(10, ' ');
  if (!answer.reason.empty()) {
    text += fmt::format("{}{}{}\n", indent, outcome.channel.empty() ? "" : "channel " + outcome.channel + ": ", answer.reason);
  }
  if (answer.verdict == Verdict::fail) text += fmt::format("{}Remedy: {}.\n", indent, outcome.info->remedy);
  if (answer.detail.is_object() && answer.detail.contains("note") && answer.detail["note"].is_string()) {
    text += fmt::format("{}Note: {}.\n", indent, answer.detail["note"].get<std::string>());
  }
  return text;
}

std::string summary_text(const CheckReport& report) {
  std::string untested;
  for (const CheckOutcome& outcome : report.outcomes) {
    if (outcome.answer.verdict == Verdict::untested) untested += (untested.empty() ? "" : ", ") + std::string(outcome.info->id);
  }
  std::string text = fmt::format("{}: {} passed, {} failed, {} skipped, {} untested{}. ", report.file.string(), report.count(Verdict::pass),
                                 report.count(Verdict::fail), report.count(Verdict::skip), report.count(Verdict::untested),
                                 untested.empty() ? "" : " (" + untested + ")");
  text += report.passed() ? "Every applicable check passed.\n" : "The plugin is not conformant.\n";
  return text;
}

std::string report_table(const CheckReport& report) {
  std::string text;
  for (const CheckOutcome& outcome : report.outcomes) text += outcome_text(outcome);
  return text + summary_text(report);
}

nlohmann::json report_json(const CheckReport& report) {
  nlohmann::json json = {{"file", report.file.string()},
                         {"sha256", report.sha256},
                         {"passed", report.passed()},
                         {"complete", report.complete},
                         {"channels", report.channels}};
  for (const Verdict verdict : {Verdict::pass, Verdict::fail, Verdict::skip, Verdict::untested}) {
    json["counts"][verdict_name(verdict)] = report.count(verdict);
  }
  json["checks"] = nlohmann::json::array();
  for (const CheckOutcome& outcome : report.outcomes) {
    json["checks"].push_back({{"id", outcome.info->id},
                              {"channel", outcome.channel},
                              {"claim", outcome.info->claim},
                              {"verdict", verdict_name(outcome.answer.verdict)},
                              {"reason", outcome.answer.reason},
                              {"remedy", outcome.info->remedy},
                              {"elapsed_s", outcome.elapsed_s},
                              {"detail", outcome.answer.detail}});
  }
  return json;
}

void write_report(const CheckReport& report, const std::filesystem::path& file) {
  write_file_atomically(file, json_text(report_json(report), 2) + "\n");
}

}  // namespace unchannel::conformance
