#include "child_answer.hpp"

#include <unchannel/base/error.hpp>

namespace unchannel::conformance {
namespace {

/// The end of what the child wrote to standard error, on one line.
std::string last_words(std::string text) {
  constexpr std::size_t kKept = 300;
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  if (text.size() > kKept) text.replace(0, text.size() - kKept, "…");
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';  // no escape sequences on the user's terminal
  }
  return text;
}

/// The last line that says what is asked for; lines of a plugin that found our descriptor are no JSON of ours.
nlohmann::json last_with(const std::string& out, const char* key) {
  nlohmann::json found;
  std::size_t begin = 0;
  for (auto end = out.find('\n'); end != std::string::npos; end = out.find('\n', begin)) {
    const auto from = out.begin() + static_cast<std::ptrdiff_t>(begin), to = out.begin() + static_cast<std::ptrdiff_t>(end);
    auto line = nlohmann::json::parse(from, to, nullptr, false);
    begin = end + 1;
    if (line.is_object() && line.contains(key)) found = std::move(line);
  }
  return found;
}

CheckAnswer understand(const SubprocessResult& child, double time_limit_s) {
  CheckAnswer answer;
  const nlohmann::json body = last_with(child.out, "verdict"), stage = last_with(child.out, "stage");
  const std::string where = stage.is_object() && stage["stage"].is_string() ? stage["stage"].get<std::string>() : "";
  const std::string place = where.empty() ? "" : " in " + where;
  if (child.timed_out) {
    answer.reason = fmt::format("does not finish: stopped after {} s.", time_limit_s);
  } else if (child.signal != 0) {
    answer.reason = fmt::format("crashes{}: {}.", place, child.ending());
  } else if (!body.is_object()) {
    answer.reason = fmt::format("ends the process{}: {}, without an answer.", place, child.ending());
  } else {
    answer.verdict = verdict_from_name(body.at("verdict").get<std::string>());
    answer.reason = body.at("reason").get<std::string>();
    answer.detail = body.at("detail");
    return answer;
  }
  const std::string said = last_words(child.err);
  if (!said.empty()) answer.reason += " It printed: " + said;
  return answer;
}

}  // namespace

CheckAnswer read_child_answer(const SubprocessResult& child, double time_limit_s) {
  try {
    return understand(child, time_limit_s);
  } catch (const std::exception& error) {  // JSON of another shape: a plugin that writes into our answers, or another version's worker
    return {Verdict::fail, fmt::format("the answer is not understood: {}.", error.what()), nlohmann::json::object()};
  }
}

void append_request(std::vector<std::string>& arguments, const CheckRequest& request) {
  if (!request.channel.empty()) arguments.insert(arguments.end(), {"--channel", request.channel});
  if (!request.config.empty()) arguments.insert(arguments.end(), {"--config", request.config.string()});
}

}  // namespace unchannel::conformance
