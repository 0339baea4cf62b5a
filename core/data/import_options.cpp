#include "import_options.hpp"

#include <array>
#include <utility>

#include <unchannel/base/error.hpp>

namespace unchannel {

ValueScale parse_value_scale(const std::string& text) {
  constexpr std::array<std::pair<const char*, ValueScale>, 4> kNames{
      {{"auto", ValueScale::automatic}, {"signed", ValueScale::signed_unit}, {"unit", ValueScale::unit}, {"none", ValueScale::none}}};
  for (const auto& [name, scale] : kNames) {
    if (text == name) return scale;
  }
  throw ConfigError(fmt::format("--scale {}: known are auto, signed (-1 … 1), unit (0 … 1) and none (as stored).", text));
}

std::string LinearScale::text() const {
  if (identity()) return "values as stored";
  return fmt::format("stored {:g} … {:g} became {:g} … {:g}", stored_low, stored_high, low, high);
}

LinearScale make_scale(ValueScale scale, double stored_low, double stored_high) {
  if (scale == ValueScale::none) return {stored_low, stored_high, stored_low, stored_high};
  return {stored_low, stored_high, scale == ValueScale::unit ? 0.0 : -1.0, 1.0};
}

void ImportReport::skip(const std::string& name, const std::string& reason) {
  constexpr std::size_t kLongest = 160;
  ++skipped_count;
  if (skipped.size() < kListed) skipped.push_back({name.substr(0, kLongest), reason.substr(0, kLongest)});
}

}  // namespace unchannel
