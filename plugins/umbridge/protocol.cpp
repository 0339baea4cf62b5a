#include "protocol.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unchannel/sdk/error.hpp>

#include "answers.hpp"

namespace umbridge {
namespace {

using nlohmann::json;
using unchannel::sdk::bad_argument;
using unchannel::sdk::join;
using unchannel::sdk::retryable;

/// Appends [a,b,…] with every float32 as the exact double it stands for, so that the model sees what NumPy would pass it.
void append_list(std::string& text, std::span<const float> values) {
  text += '[';
  char buffer[32];
  for (const float value : values) {
    if (!std::isfinite(value)) {
      throw Refusal(UNCHANNEL_SAMPLE_NOT_FINITE, "the signal is not finite, and JSON cannot express that.");
    }
    const auto end = std::to_chars(buffer, buffer + sizeof buffer, static_cast<double>(value)).ptr;
    text.append(buffer, end) += ',';
  }
  if (text.back() == ',') {
    text.pop_back();
  }
  text += ']';
}

void append_input(std::string& text, std::span<const float> x, std::span<const int64_t> sizes) {
  text += ",\"input\":[";
  size_t begin = 0;
  for (size_t k = 0; k < sizes.size(); ++k) {
    if (k > 0) {
      text += ',';
    }
    append_list(text, x.subspan(begin, static_cast<size_t>(sizes[k])));
    begin += static_cast<size_t>(sizes[k]);
  }
  text += ']';
}

std::string quoted(const std::string& text, const char* what) {
  try {
    return json(text).dump();
  } catch (const json::exception&) {
    throw bad_argument(what, " must be UTF-8.");
  }
}

std::string derivative(const std::string& head, size_t out, size_t in, std::span<const float> x, std::span<const int64_t> sizes,
                       const char* key, std::span<const float> vector) {
  std::string text = head;
  text.reserve(head.size() + 22 * (x.size() + vector.size()) + 64);
  text += join(",\"outWrt\":", out, ",\"inWrt\":", in);
  append_input(text, x, sizes);
  text += join(",\"", key, "\":");
  append_list(text, vector);
  text += '}';
  return text;
}

}  // namespace

std::string checked_config(const std::string& text) {
  if (!is_shallow(text)) {
    throw bad_argument("config is nested deeper than ", kMaxNesting, " levels.");
  }
  const json parsed = json::parse(text, nullptr, false);
  if (!parsed.is_object()) {
    throw bad_argument("config = \"", excerpt(text), "\" must be one JSON object, as in '{\"level\": 2}'.");
  }
  return parsed.dump();
}

Requests::Requests(const std::string& model, const std::string& config)
    : head_(join("{\"name\":", quoted(model, "model"), ",\"config\":", config)), about_model_(head_ + "}") {}

std::string Requests::evaluate(std::span<const float> x, std::span<const int64_t> input_sizes) const {
  std::string text = head_;
  text.reserve(head_.size() + 22 * x.size() + 64);
  append_input(text, x, input_sizes);
  text += '}';
  return text;
}

std::string Requests::gradient(size_t out, size_t in, std::span<const float> x, std::span<const int64_t> input_sizes,
                               std::span<const float> sens) const {
  return derivative(head_, out, in, x, input_sizes, "sens", sens);
}

std::string Requests::apply_jacobian(size_t out, size_t in, std::span<const float> x, std::span<const int64_t> input_sizes,
                                     std::span<const float> vec) const {
  return derivative(head_, out, in, x, input_sizes, "vec", vec);
}

std::string excerpt(std::string_view text) {
  constexpr size_t kLongest = 160;
  std::string shown(text.substr(0, kLongest));
  std::ranges::replace_if(
      shown, [](char c) { return c < ' ' || c > '~'; }, ' ');
  return text.size() > kLongest ? shown + " …" : shown;
}

void refuse_http_status(unsigned status, std::string_view answer) {
  const ModelError error = read_error(answer);
  const std::string said = error.message.empty() ? excerpt(answer) : error.message;
  if (error.type == "ModelNotFound" || error.type == "UnsupportedFeature" || error.type == "FeatureUnsupported") {
    throw bad_argument("the server refuses with ", error.type, ": ", said, " Has it been started again with another model?");
  }
  if (status >= 300 && status < 400) {
    throw bad_argument("the server redirects (HTTP ", status, "), which is not followed: set url to where the model really is.");
  }
  if (status == 404 || status == 405 || status == 501) {
    throw bad_argument("HTTP ", status, ": nothing of the UM-Bridge protocol is there; check host, port and path of url. Answer: ", said);
  }
  if (status == 408 || status == 425 || status == 429 || status == 502 || status == 503 || status == 504) {
    throw retryable("HTTP ", status, ": the server or the load balancer before it is overloaded: ", said);
  }
  const bool domain = error.type == "InvalidInput";
  throw Refusal(domain ? UNCHANNEL_SAMPLE_OUT_OF_DOMAIN : kSampleModelError,
                join("HTTP ", status, error.type.empty() ? "" : ", ", error.type, ": ", said));
}

}  // namespace umbridge
