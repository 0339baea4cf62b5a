#include <fmt/core.h>

#include <cmath>
#include <limits>
#include <unchannel/base/error.hpp>

#include "description.hpp"

namespace unchannel {
namespace {

struct FlagName {
  std::uint32_t flag;
  const char* name;
};
constexpr FlagName kParameterFlags[] = {{UNCHANNEL_PARAMETER_REQUIRED, "required"},
                                        {UNCHANNEL_PARAMETER_CHANGES_SHAPES, "changes_shapes"},
                                        {UNCHANNEL_PARAMETER_AFFECTS_CACHES, "affects_caches"},
                                        {UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN, "may_be_unknown"},
                                        {UNCHANNEL_PARAMETER_MIN_EXCLUSIVE, "min_exclusive"},
                                        {UNCHANNEL_PARAMETER_MAX_EXCLUSIVE, "max_exclusive"}};
constexpr FlagName kLatentFlags[] = {
    {UNCHANNEL_LATENT_VISIBLE, "visible"}, {UNCHANNEL_LATENT_DEPENDS_ON_X, "depends_on_x"}, {UNCHANNEL_LATENT_DATA_ONLY, "data_only"}};
constexpr const char* kParameterTypes[] = {"f64", "i64", "bool", "enum", "string", "path"};
constexpr const char* kLatentTypes[] = {"float32", "int32", "int64"};
constexpr const char* kDeterminisms[] = {"none", "per_batch", "per_sample"};
constexpr const char* kThreadClasses[] = {"process_serial", "instance_serial", "reentrant"};

template <std::size_t N>
std::int32_t index_of(const char* const (&names)[N], const std::string& name) {
  for (std::size_t i = 0; i < N; ++i) {
    if (name == names[i]) return static_cast<std::int32_t>(i);
  }
  throw nlohmann::json::other_error::create(501, "unknown name '" + name + "'", nullptr);
}

template <std::size_t N>
nlohmann::json flags_to_json(const FlagName (&names)[N], std::uint32_t flags) {
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [flag, name] : names) {
    if (flags & flag) list.push_back(name);
  }
  return list;
}

template <std::size_t N>
std::uint32_t flags_from_json(const FlagName (&names)[N], const nlohmann::json& list) {
  std::uint32_t flags = 0;
  for (const auto& [flag, name] : names) {
    if (std::find(list.begin(), list.end(), name) != list.end()) flags |= flag;
  }
  return flags;
}

nlohmann::json to_json(const ParameterDescription& p) {
  nlohmann::json json = {{"id", p.id}, {"type", parameter_type_name(p.type)}, {"unit", p.unit}, {"doc", p.doc}};
  json["flags"] = flags_to_json(kParameterFlags, p.flags);
  json["default"] = p.default_value;
  if (p.type == UNCHANNEL_TYPE_F64) {  // JSON has no infinity: a missing bound is no bound
    if (std::isfinite(p.min_f64)) json["min"] = p.min_f64;
    if (std::isfinite(p.max_f64)) json["max"] = p.max_f64;
    if (!p.default_value.is_null() && !std::isfinite(p.default_value.get<double>()))
      json["default"] = fmt::format("{}", p.default_value.get<double>());
  }
  if (p.type == UNCHANNEL_TYPE_I64) {
    json["min"] = p.min_i64;
    json["max"] = p.max_i64;
  }
  if (p.type == UNCHANNEL_TYPE_ENUM) json["choices"] = p.choices;
  return json;
}

ParameterDescription parameter_from_json(const nlohmann::json& json) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  ParameterDescription p;
  json.at("id").get_to(p.id);
  json.at("unit").get_to(p.unit);
  json.at("doc").get_to(p.doc);
  p.type = index_of(kParameterTypes, json.at("type").get<std::string>()) + 1;
  p.flags = flags_from_json(kParameterFlags, json.at("flags"));
  p.default_value = json.at("default");
  if (p.type == UNCHANNEL_TYPE_F64) {
    p.min_f64 = json.value("min", -kInfinity);
    p.max_f64 = json.value("max", kInfinity);
    if (p.default_value.is_string()) {
      const bool negative = p.default_value == "-inf";
      check<PluginError>(negative || p.default_value == "inf", "parameter {}: its default {} is no number.", p.id, p.default_value.dump());
      p.default_value = negative ? -kInfinity : kInfinity;
    }
  }
  if (p.type == UNCHANNEL_TYPE_I64) {
    json.at("min").get_to(p.min_i64);
    json.at("max").get_to(p.max_i64);
  }
  if (p.type == UNCHANNEL_TYPE_ENUM) json.at("choices").get_to(p.choices);
  return p;
}

nlohmann::json to_json(const LatentDescription& l) {
  return {{"id", l.id},
          {"dtype", latent_type_name(l.dtype)},
          {"unit", l.unit},
          {"doc", l.doc},
          {"prior", l.prior},
          {"count_of", l.count_of},
          {"flags", flags_to_json(kLatentFlags, l.flags)}};
}

LatentDescription latent_from_json(const nlohmann::json& json) {
  LatentDescription l;
  json.at("id").get_to(l.id);
  json.at("unit").get_to(l.unit);
  json.at("doc").get_to(l.doc);
  json.at("prior").get_to(l.prior);
  json.at("count_of").get_to(l.count_of);
  l.dtype = index_of(kLatentTypes, json.at("dtype").get<std::string>()) + 1;
  l.flags = flags_from_json(kLatentFlags, json.at("flags"));
  return l;
}

template <class Number>
std::string interval(Number min, Number max, bool low, bool high, bool open_low, bool open_high) {
  if (low && high) return fmt::format("{}{}, {}{}", open_low ? '(' : '[', min, max, open_high ? ')' : ']');
  if (low) return fmt::format("{} {}", open_low ? ">" : "≥", min);
  return high ? fmt::format("{} {}", open_high ? "<" : "≤", max) : std::string();
}

}  // namespace

const char* parameter_type_name(std::int32_t type) { return kParameterTypes[type - 1]; }
const char* latent_type_name(std::int32_t dtype) { return kLatentTypes[dtype - 1]; }
const char* determinism_name(std::int32_t determinism) { return kDeterminisms[determinism]; }
const char* thread_class_name(std::int32_t thread_class) { return kThreadClasses[thread_class]; }

std::string ParameterDescription::range_text() const {
  if (type == UNCHANNEL_TYPE_F64) {
    return interval(min_f64, max_f64, std::isfinite(min_f64), std::isfinite(max_f64), flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE,
                    flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE);
  }
  if (type == UNCHANNEL_TYPE_I64) {
    using Limits = std::numeric_limits<std::int64_t>;
    return interval(min_i64, max_i64, min_i64 != Limits::min(), max_i64 != Limits::max(), false, false);
  }
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "'" : " · '") + choice + "'";
  return text;
}

nlohmann::json to_json(const ChannelDescription& c) {
  nlohmann::json json = {{"id", c.id},   {"name", c.name},       {"version", c.version},         {"vendor", c.vendor},
                         {"url", c.url}, {"licence", c.licence}, {"description", c.description}, {"capabilities", c.capabilities}};
  json["determinism"] = determinism_name(c.determinism);
  json["thread_class"] = thread_class_name(c.thread_class);
  json["parameters"] = nlohmann::json::array();
  json["latents"] = nlohmann::json::array();
  for (const auto& parameter : c.parameters) json["parameters"].push_back(to_json(parameter));
  for (const auto& latent : c.latents) json["latents"].push_back(to_json(latent));
  return json;
}

ChannelDescription channel_description_from_json(const nlohmann::json& json) {
  ChannelDescription c;
  json.at("id").get_to(c.id);
  json.at("name").get_to(c.name);
  json.at("version").get_to(c.version);
  json.at("vendor").get_to(c.vendor);
  json.at("url").get_to(c.url);
  json.at("licence").get_to(c.licence);
  json.at("description").get_to(c.description);
  json.at("capabilities").get_to(c.capabilities);
  c.determinism = index_of(kDeterminisms, json.at("determinism").get<std::string>());
  c.thread_class = index_of(kThreadClasses, json.at("thread_class").get<std::string>());
  for (const auto& parameter : json.at("parameters")) c.parameters.push_back(parameter_from_json(parameter));
  for (const auto& latent : json.at("latents")) c.latents.push_back(latent_from_json(latent));
  return c;
}

}  // namespace unchannel
