#include "parameters.hpp"

#include <algorithm>
#include <cmath>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

/// The messages of one parameter.
class Checker {
 public:
  Checker(const std::string& channel, const ParameterDescription& parameter, const nlohmann::json& value)
      : channel_(channel), parameter_(parameter), value_(value) {}

  void require(bool condition, const std::string& rule) const {
    if (condition) return;
    const bool has_unit = !parameter_.unit.empty() && parameter_.unit != "1";
    throw ConfigError(fmt::format("channel {}: parameter {} {}; it is {}.{}", channel_, parameter_.id, rule, json_text(value_),
                                  has_unit ? fmt::format(" Its unit is {}.", parameter_.unit) : ""));
  }

 private:
  const std::string& channel_;
  const ParameterDescription& parameter_;
  const nlohmann::json& value_;
};

nlohmann::json checked_real(const ParameterDescription& p, const nlohmann::json& value, const Checker& checker) {
  checker.require(value.is_number(), "must be a number");
  const double number = value.get<double>();
  const bool low = p.flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE ? number <= p.min_f64 : number < p.min_f64;
  const bool high = p.flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE ? number >= p.max_f64 : number > p.max_f64;
  checker.require(!std::isnan(number) && !low && !high,
                  p.range_text().empty() ? "must be a number" : "must lie in the range " + p.range_text());
  return number;
}

nlohmann::json checked_integer(const ParameterDescription& p, const nlohmann::json& value, const Checker& checker) {
  checker.require(value.is_number_integer(), "must be an integer");
  const auto number = value.get<std::int64_t>();
  checker.require(number >= p.min_i64 && number <= p.max_i64, "must lie in the range " + p.range_text());
  return number;
}

nlohmann::json checked(const std::string& channel, const ParameterDescription& p, const nlohmann::json& value,
                       const std::filesystem::path& folder) {
  const Checker checker(channel, p, value);
  switch (p.type) {
    case UNCHANNEL_TYPE_F64:
      return checked_real(p, value, checker);
    case UNCHANNEL_TYPE_I64:
      return checked_integer(p, value, checker);
    case UNCHANNEL_TYPE_BOOL:
      checker.require(value.is_boolean(), "must be true or false");
      return value;
    default:
      checker.require(value.is_string(), "must be a string in quotes");
  }
  const std::string text = value.get<std::string>();
  checker.require(text.find('\0') == std::string::npos, "must not contain a zero byte");
  if (p.type == UNCHANNEL_TYPE_ENUM && std::find(p.choices.begin(), p.choices.end(), text) == p.choices.end()) {
    throw ConfigError(fmt::format("channel {}: parameter {} must be one of {}; it is '{}'.{}", channel, p.id, p.range_text(), text,
                                  did_you_mean(text, p.choices)));
  }
  if (p.type == UNCHANNEL_TYPE_PATH && !text.empty()) return std::filesystem::absolute(folder / text).lexically_normal().string();
  return text;
}

}  // namespace

std::vector<nlohmann::json> resolve_parameters(const std::string& channel, const std::vector<ParameterDescription>& schema,
                                               const nlohmann::json& given, const std::filesystem::path& folder) {
  check<ConfigError>(given.is_object() || given.is_null(), "channel {}: the parameters must be a table.", channel);
  std::vector<std::string> known;
  for (const ParameterDescription& parameter : schema) known.push_back(parameter.id);
  for (const auto& item : given.items()) {
    if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
    std::string list;
    for (const std::string& name : known) list += (list.empty() ? "" : ", ") + name;
    throw ConfigError(fmt::format("channel {}: has no parameter '{}'.{} It has: {}.", channel, item.key(), did_you_mean(item.key(), known),
                                  list.empty() ? "none" : list));
  }
  std::vector<nlohmann::json> values;
  for (const ParameterDescription& parameter : schema) {
    const bool is_given = given.is_object() && given.contains(parameter.id);
    check<ConfigError>(is_given || !parameter.required(), "channel {}: parameter {} has no default and must be given ({}{}).", channel,
                       parameter.id, parameter_type_name(parameter.type),
                       parameter.unit.empty() || parameter.unit == "1" ? "" : ", in " + parameter.unit);
    values.push_back(is_given ? checked(channel, parameter, given[parameter.id], folder) : parameter.default_value);
  }
  return values;
}

std::vector<unchannel_value> to_values(const std::vector<ParameterDescription>& schema, const std::vector<nlohmann::json>& values) {
  std::vector<unchannel_value> raw(schema.size());
  for (std::size_t i = 0; i < schema.size(); ++i) {
    raw[i] = {};
    raw[i].id = schema[i].id.c_str();
    raw[i].type = schema[i].type;
    switch (schema[i].type) {
      case UNCHANNEL_TYPE_F64:
        raw[i].f64 = values[i].get<double>();
        break;
      case UNCHANNEL_TYPE_I64:
        raw[i].i64 = values[i].get<std::int64_t>();
        break;
      case UNCHANNEL_TYPE_BOOL:
        raw[i].i64 = values[i].get<bool>() ? 1 : 0;
        break;
      default:
        raw[i].text = values[i].get_ref<const std::string&>().c_str();
    }
  }
  return raw;
}

}  // namespace unchannel
