#include "answers.hpp"

#include <cctype>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <unchannel/sdk/error.hpp>

#include "protocol.hpp"

namespace umbridge {
namespace {

using nlohmann::json;
using unchannel::sdk::join;

constexpr size_t kMaxControlBytes = 1 << 20;        // of answers that are kept as a JSON tree
constexpr int64_t kMaxElements = int64_t{1} << 40;  // of all vectors of a model together; protects sums from overflow

Refusal bad_answer(const std::string& text) { return {kSampleBadAnswer, text}; }

json parse_small(std::string_view answer) {
  if (answer.size() > kMaxControlBytes || !is_shallow(answer)) {
    return json(json::value_t::discarded);
  }
  return json::parse(answer, nullptr, false);
}

/// The member `key` of an answer that must be an object.
json member(std::string_view answer, const char* key) {
  const json parsed = parse_small(answer);
  const ModelError error = read_error(answer);
  if (!error.message.empty()) {
    throw Refusal(kSampleModelError, join(error.type, ": ", error.message));
  }
  if (!parsed.is_object() || !parsed.contains(key)) {
    throw bad_answer(join("the answer is no UM-Bridge answer (a JSON object with \"", key, "\"): ", excerpt(answer)));
  }
  return parsed[key];
}

/// Takes the numbers of "output" as they come, without building a tree: memory stays that of the values.
class OutputReader : public json::json_sax_t {
 public:
  OutputReader(std::span<const int64_t> sizes, bool nested, std::span<double> values)
      : sizes_(sizes), list_depth_(nested ? 3 : 2), values_(values) {}

  bool null() override { return put(std::numeric_limits<double>::quiet_NaN()); }
  bool boolean(bool) override { return !inside_ || fail("\"output\" holds true or false instead of numbers."); }
  bool number_integer(number_integer_t value) override { return put(static_cast<double>(value)); }
  bool number_unsigned(number_unsigned_t value) override { return put(static_cast<double>(value)); }
  bool number_float(number_float_t value, const string_t&) override { return put(value); }
  bool string(string_t&) override { return !inside_ || fail("\"output\" holds text instead of numbers."); }
  bool binary(binary_t&) override { return fail("\"output\" holds binary data."); }
  bool start_object(size_t) override { return inside_ ? fail("\"output\" holds an object instead of lists of numbers.") : deeper(); }
  bool end_object() override { return --depth_, true; }
  bool key(string_t& name) override {
    if (depth_ != 1 || name != "output") {
      return inside_ = false, true;
    }
    inside_ = true;
    return !found_ || fail("\"output\" occurs twice.");
  }
  bool start_array(size_t) override {
    if (!deeper()) {
      return false;
    }
    if (inside_ && depth_ > list_depth_) {
      return fail("\"output\" is nested too deeply.");
    }
    if (inside_ && depth_ == list_depth_ && list_ >= sizes_.size()) {
      return fail(join("it has more than ", sizes_.size(), " vectors, the number that the model declares."));
    }
    in_list_ = 0;
    return true;
  }
  bool end_array() override {
    if (inside_ && depth_ == list_depth_) {
      if (in_list_ != sizes_[list_]) {
        return fail(join("vector ", list_, " has ", in_list_, " numbers where the model declares ", sizes_[list_], "."));
      }
      ++list_;
    }
    if (inside_ && depth_ == 2) {
      if (list_ != sizes_.size()) {
        return fail(join("it has ", list_, " vectors where the model declares ", sizes_.size(), "."));
      }
      found_ = true, inside_ = false;
    }
    --depth_;
    return true;
  }
  bool parse_error(size_t position, const std::string&, const nlohmann::detail::exception& error) override {
    broken_json_ = true;
    return fail(join("it is not JSON at byte ", position, " (", excerpt(error.what()), ")."));
  }

  [[nodiscard]] bool found() const { return found_; }
  [[nodiscard]] bool broken_json() const { return broken_json_; }
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  bool deeper() { return ++depth_ <= kMaxNesting || fail("it is nested too deeply."); }
  bool put(double value) {
    if (!inside_) {
      return true;
    }
    if (depth_ != list_depth_) {
      return fail("\"output\" holds a number where a list of numbers is due.");
    }
    if (in_list_ == sizes_[list_]) {
      return fail(join("vector ", list_, " has more than the ", sizes_[list_], " numbers that the model declares."));
    }
    ++in_list_;
    values_[taken_++] = value;
    return true;
  }
  bool fail(std::string text) {
    if (problem_.empty()) {
      problem_ = std::move(text);
    }
    return false;
  }

  std::span<const int64_t> sizes_;
  int list_depth_;  // of brackets and braces, at which the numbers are
  std::span<double> values_;
  int depth_ = 0;
  bool inside_ = false, found_ = false, broken_json_ = false;
  size_t list_ = 0, taken_ = 0;
  int64_t in_list_ = 0;
  std::string problem_;
};

/// Python servers write NaN and infinities as nan, NaN, inf, Infinity, which is no JSON: null instead, outside strings.
std::string with_null_for_non_finite(std::string_view text) {
  std::string clean;
  clean.reserve(text.size());
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_string || std::isalpha(static_cast<unsigned char>(c)) == 0) {
      clean += c;
      if (in_string && c == '\\' && i + 1 < text.size()) {
        clean += text[++i];
      } else if (c == '"') {
        in_string = !in_string;
      }
      continue;
    }
    size_t end = i;
    while (end < text.size() && std::isalpha(static_cast<unsigned char>(text[end])) != 0) {
      ++end;
    }
    const std::string_view word = text.substr(i, end - i);
    if (word == "nan" || word == "NaN" || word == "inf" || word == "Infinity") {
      if (clean.ends_with('-')) {
        clean.pop_back();
      }
      clean += "null";
    } else {
      clean += word;
    }
    i = end - 1;
  }
  return clean;
}

}  // namespace

bool is_shallow(std::string_view json_text) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json_text.size(); ++i) {
    const char c = json_text[i];
    if (in_string) {
      if (c == '\\') {
        ++i;
      }
      in_string = c != '"';
    } else if (c == '"') {
      in_string = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxNesting) {
        return false;
      }
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return true;
}

ModelError read_error(std::string_view answer) {
  const json parsed = parse_small(answer);
  if (!parsed.is_object() || !parsed.contains("error")) {
    return {};
  }
  const json& error = parsed["error"];
  const auto text = [&error](const char* key) {
    return error.is_object() && error.contains(key) && error[key].is_string() ? excerpt(error[key].get_ref<const std::string&>())
                                                                              : std::string();
  };
  ModelError read{text("type"), text("message")};
  if (read.message.empty()) {
    read.message = "no reason given.";
  }
  return read;
}

void check_info(std::string_view answer, const std::string& model) {
  const json version = member(answer, "protocolVersion");
  if (!version.is_number() || version.get<double>() != 1.0) {
    throw bad_answer(
        join("the server speaks protocol version ", excerpt(version.dump()), ", this client 1.0: update the server's UM-Bridge library."));
  }
  const json models = member(answer, "models");
  std::string names;
  for (const json& name : models.is_array() ? models : json::array()) {
    if (name == model) {
      return;
    }
    names += (names.empty() ? "" : ", ") + (name.is_string() ? name.get<std::string>() : name.dump());
  }
  throw bad_answer(join("the server has no model \"", excerpt(model), "\". It has: ", excerpt(names), ". Set model to one of these."));
}

Support read_support(std::string_view answer) {
  const json support = member(answer, "support");
  const auto yes = [&support](const char* key) { return support.is_object() && support.contains(key) && support[key] == true; };
  return {yes("Evaluate"), yes("Gradient"), yes("ApplyJacobian")};
}

Sizes read_sizes(std::string_view answer, const char* key) {
  const json list = member(answer, key);
  Sizes sizes;
  int64_t total = 0;
  for (const json& entry : list.is_array() ? list : json::array()) {
    const bool sane = entry.is_number_unsigned() && entry.get<uint64_t>() <= static_cast<uint64_t>(kMaxElements);
    if (!sane || (total += entry.get<int64_t>()) > kMaxElements) {
      throw bad_answer(join("\"", key, "\" must list whole numbers from 0 to ", kMaxElements, ": ", excerpt(answer)));
    }
    sizes.push_back(entry.get<int64_t>());
  }
  if (total == 0) {
    throw bad_answer(join("\"", key, "\" must be a list with at least one element in all: ", excerpt(answer)));
  }
  return sizes;
}

void read_output(std::string_view answer, std::span<const int64_t> sizes, bool nested, std::span<double> values) {
  OutputReader reader(sizes, nested, values);
  if (!json::sax_parse(answer, &reader) && reader.broken_json()) {
    const std::string clean = with_null_for_non_finite(answer);
    OutputReader again(sizes, nested, values);
    if (json::sax_parse(clean, &again)) {
      throw Refusal(UNCHANNEL_SAMPLE_NOT_FINITE, "the model's output holds NaN or infinity.");
    }
  }
  if (!reader.problem().empty()) {
    throw bad_answer(join("the answer cannot be used: ", reader.problem(), " It starts: ", excerpt(answer.substr(0, 60))));
  }
  if (!reader.found()) {
    const ModelError error = read_error(answer);
    throw error.message.empty() ? bad_answer(join("the answer has no list \"output\": ", excerpt(answer)))
                                : Refusal(kSampleModelError, join(error.type, ": ", error.message));
  }
  for (const double value : values) {
    // Observations are float32: what overflows there is as useless as infinity.
    if (!std::isfinite(static_cast<float>(value))) {
      throw Refusal(UNCHANNEL_SAMPLE_NOT_FINITE, "the model's output holds null, NaN, infinity or a number beyond float32.");
    }
  }
}

}  // namespace umbridge
