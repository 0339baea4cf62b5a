// The texts of UM-Bridge protocol 1.0: what is asked and what the answers mean. No network here.
#pragma once

#include <unchannel/channel.h>

#include <cstdint>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace umbridge {

/// Sample statuses of our own, see README.md.
constexpr int32_t kSampleTimedOut = UNCHANNEL_SAMPLE_PLUGIN;        ///< no answer within call_timeout_s, or the connection broke every time
constexpr int32_t kSampleModelError = UNCHANNEL_SAMPLE_PLUGIN + 1;  ///< the server reported an error of the model
constexpr int32_t kSampleBadAnswer = UNCHANNEL_SAMPLE_PLUGIN + 2;   ///< no JSON, wrong sizes, too long

/// One answer cannot be used; costs one sample while simulating and refuses a configuration.
class Refusal : public std::runtime_error {
 public:
  Refusal(int32_t sample_status, const std::string& text) : std::runtime_error(text), sample_status_(sample_status) {}
  [[nodiscard]] int32_t sample_status() const noexcept { return sample_status_; }

 private:
  int32_t sample_status_;
};

using Sizes = std::vector<int64_t>;

struct Support {
  bool evaluate = false, gradient = false, apply_jacobian = false;
};

/// Throws bad_argument unless `text` is one JSON object; returns it in canonical spelling.
std::string checked_config(const std::string& text);

// Answers to configure's questions; they throw Refusal.
void check_info(std::string_view answer, const std::string& model);  ///< /Info: protocol version and model name
Support read_support(std::string_view answer);                       ///< /ModelInfo
Sizes read_sizes(std::string_view answer, const char* key);          ///< /InputSizes, /OutputSizes

/// Reads {"output": [[…], …]} (nested) or {"output": […]} (one list of sizes[0] numbers) into `values`, sum(sizes) long.
/// Throws Refusal: BadAnswer where the text is no such JSON, NOT_FINITE where a number is null or NaN, ModelError where it is an error.
void read_output(std::string_view answer, std::span<const int64_t> sizes, bool nested, std::span<double> values);

/// What an HTTP status other than 200 means. Always throws: Refusal where another x may fare better, otherwise RETRYABLE (overload) or
/// BAD_ARGUMENT (the model or the function does not exist).
[[noreturn]] void refuse_http_status(unsigned status, std::string_view answer);

/// Printable ASCII of at most 160 characters, to be quoted in a message.
std::string excerpt(std::string_view text);

/// Builds request bodies for one model.
class Requests {
 public:
  Requests(const std::string& model, const std::string& config);

  [[nodiscard]] const std::string& about_model() const { return about_model_; }  ///< name and config
  [[nodiscard]] std::string evaluate(std::span<const float> x, std::span<const int64_t> input_sizes) const;
  /// J(out, in)^T sens
  [[nodiscard]] std::string gradient(size_t out, size_t in, std::span<const float> x, std::span<const int64_t> input_sizes,
                                     std::span<const float> sens) const;
  /// J(out, in) vec
  [[nodiscard]] std::string apply_jacobian(size_t out, size_t in, std::span<const float> x, std::span<const int64_t> input_sizes,
                                           std::span<const float> vec) const;

 private:
  std::string head_;         // {"name":…,"config":…
  std::string about_model_;  // head_ }
};

}  // namespace umbridge
