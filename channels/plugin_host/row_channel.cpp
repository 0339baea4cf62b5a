#include "row_channel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>
#include <unchannel/base/sha256.hpp>

#include "parameters.hpp"
#include "row_filter.hpp"
#include "wire.hpp"

namespace unchannel {
namespace {

constexpr const char* kBlanks = " \t\r";
constexpr std::size_t kLongestNumber = 64;  ///< in text, with the blank behind it

std::string value_text(const nlohmann::json& value) {
  if (value.is_string()) return value.get<std::string>();
  return value.is_number_float() ? fmt::format("{}", value.get<double>()) : json_text(value);
}

/// TOML has infinities, JSON has not.
std::string toml_text(const nlohmann::json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) return value.get<double>() > 0 ? "inf" : "-inf";
  return json_text(value);
}

std::string shape_words(const ChannelShape& shape) { return fmt::format("{}", fmt::join(shape, " ")); }

/// One number from the front of `line`, which then begins behind it; false at the end of the line. Throws PluginError.
bool take_number(std::string_view& line, std::int64_t row, float& number) {
  line.remove_prefix(std::min(line.find_first_not_of(kBlanks), line.size()));
  if (line.empty()) return false;
  const std::string_view word = line.substr(0, line.find_first_of(kBlanks));
  // A plus sign and numbers beyond float32 are what printf may well write.
  const std::string_view digits = word.starts_with('+') ? word.substr(1) : word;
  const auto end = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  check<PluginError>(end.ec != std::errc::invalid_argument && end.ptr == digits.data() + digits.size(), "row {}: '{}' is no number.", row,
                     word.substr(0, 32));
  if (end.ec == std::errc::result_out_of_range) number = std::strtof(std::string(digits).c_str(), nullptr);  // 0 or infinity
  line.remove_prefix(word.size());
  return true;
}

}  // namespace

std::string rows_to_text(const float* rows, std::int64_t count, std::int64_t width) {
  fmt::memory_buffer text;
  for (std::int64_t i = 0; i < count * width; ++i) {
    fmt::format_to(std::back_inserter(text), "{}{}", rows[i], (i + 1) % width == 0 ? '\n' : ' ');
  }
  return fmt::to_string(text);
}

void rows_from_text(const std::string& text, std::int64_t count, std::int64_t width, float* rows) {
  std::string_view rest = text;
  for (std::int64_t row = 0; row < count; ++row) {
    check<PluginError>(!rest.empty(), "the program writes {} rows; {} are expected.", row, count);
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    std::int64_t found = 0;
    for (float number = 0; take_number(line, row, number); ++found) {
      if (found < width) rows[row * width + found] = number;
    }
    check<PluginError>(found == width, "row {} has {} values; {} are expected.", row, found, width);
  }
  check<PluginError>(rest.find_first_not_of(" \t\r\n") == rest.npos, "the program writes more than the {} rows that are expected.", count);
}

RowChannel::RowChannel(RowProgram program, PluginFile file) : program_(std::move(program)), file_(std::move(file)) {
  description_ = program_.channel;
}

std::unique_ptr<RowChannel> RowChannel::create(const std::filesystem::path& file, const std::string& sha256) {
  const std::string found = sha256_file(file);
  check<PluginError>(sha256.empty() || found == sha256, "{}: has changed since it was probed.", file.string());
  return std::unique_ptr<RowChannel>(new RowChannel(read_row_program(file), {file, found, fmt::format("protocol {}", kProtocolVersion)}));
}

void RowChannel::configure(const ChannelShape& x_shape, const nlohmann::json& parameters, const std::filesystem::path& folder) {
  const auto values = resolve_parameters(description_.id, description_.parameters, parameters, folder);
  Configuration next;
  next.set = true;
  next.x_shape = next.y_shape = x_shape;
  next.x_size = next.y_size = element_count(x_shape, place() + "x");
  next.parameters = nlohmann::json::object();
  for (std::size_t i = 0; i < values.size(); ++i) {
    next.parameters[description_.parameters[i].id] = values[i];
    next.canonical += fmt::format("{} = {}\n", description_.parameters[i].id, toml_text(values[i]));
  }
  active_ = std::move(next);
}

/// What `{name}` stands for in the command; nothing for other words in braces.
std::optional<std::string> RowChannel::known(const std::string& name, const BatchCall& call) const {
  if (name == "key") return key_text(call.key);
  if (name == "count") return std::to_string(call.count);
  if (name == "values") return std::to_string(active_.x_size);
  const auto parameter = active_.parameters.find(name);
  return parameter == active_.parameters.end() ? std::nullopt : std::optional(value_text(*parameter));
}

/// `word` of the command with {ID}, {key}, {count} and {values} filled in; other braces stay. The results are words of an argument list
/// and never a shell's text, and they come from numbers and the manifest's own choices alone.
std::string RowChannel::replaced(const std::string& word, const BatchCall& call) const {
  std::string result;
  for (std::size_t at = 0; at < word.size();) {
    const std::size_t end = word[at] == '{' ? word.find('}', at) : word.npos;
    const std::string name = end == word.npos ? std::string() : word.substr(at + 1, end - at - 1);
    const std::optional<std::string> text = name.empty() ? std::nullopt : known(name, call);
    result += text ? *text : std::string(1, word[at]);
    at = text ? end + 1 : at + 1;
  }
  return result;
}

std::string RowChannel::input_of(const BatchCall& call) const {
  if (program_.format == RowFormat::kText) return rows_to_text(call.x, call.count, active_.x_size);
  return {reinterpret_cast<const char*>(call.x), static_cast<std::size_t>(call.count * active_.x_size) * sizeof(float)};
}

PluginSampleFailures RowChannel::run(const BatchCall& call) const {
  if (call.kind != CallKind::kSimulate || call.count == 0) return {};  // there are no latents to draw
  FilterRun filter;
  for (const std::string& word : program_.command) filter.arguments.push_back(replaced(word, call));
  filter.environment = {{"UNCHANNEL_KEY", key_text(call.key)},
                        {"UNCHANNEL_COUNT", std::to_string(call.count)},
                        {"UNCHANNEL_SHAPE", shape_words(active_.x_shape)}};
  for (const auto& item : active_.parameters.items()) {
    filter.environment.emplace_back("UNCHANNEL_PARAMETER_" + item.key(), value_text(item.value()));
  }
  const std::string input = input_of(call), ids = fmt::format("{}\n", fmt::join(call.ids, "\n"));
  const auto values = static_cast<std::size_t>(call.count * active_.y_size);
  const std::size_t bytes = values * sizeof(float);
  filter.input = input;
  filter.attachment = ids;
  filter.output_limit_bytes = program_.format == RowFormat::kText ? values * kLongestNumber : bytes;
  const std::string output = run_filter(filter);
  if (program_.format == RowFormat::kText) {
    rows_from_text(output, call.count, active_.y_size, call.result);
  } else {
    check<PluginError>(output.size() == bytes, "the program writes {} bytes; {} rows of {} float32 have {}.", output.size(), call.count,
                       active_.y_size, bytes);
    std::memcpy(call.result, output.data(), bytes);
  }
  return {};
}

}  // namespace unchannel
