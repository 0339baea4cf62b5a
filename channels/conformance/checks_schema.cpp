// What the channel says about itself: descriptor, parameter-schema.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "checks.hpp"
#include "prior_law.hpp"
#include "subject.hpp"

namespace unchannel::conformance {
namespace {

bool is_snake_case(const std::string& id) {
  return !id.empty() && std::islower(static_cast<unsigned char>(id[0])) &&
         id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
}

/// "1.2.3", also "1.2.3-rc.1+build".
bool is_semantic_version(const std::string& version) {
  int dots = 0, digits = 0;
  for (const char c : version.substr(0, version.find_first_of("-+"))) {
    if (std::isdigit(static_cast<unsigned char>(c))) {
      ++digits;
    } else if (c == '.' && digits > 0) {
      ++dots, digits = 0;
    } else {
      return false;
    }
  }
  return dots == 2 && digits > 0;
}

/// The JSON library refuses what is no UTF-8.
bool is_utf8(const std::string& text) {
  try {
    return !nlohmann::json(text).dump().empty();
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

void check_raw_parameter(const unchannel_parameter& raw) {
  constexpr std::uint32_t kKnownFlags = UNCHANNEL_PARAMETER_REQUIRED | UNCHANNEL_PARAMETER_CHANGES_SHAPES |
                                        UNCHANNEL_PARAMETER_AFFECTS_CACHES | UNCHANNEL_PARAMETER_MAY_BE_UNKNOWN |
                                        UNCHANNEL_PARAMETER_MIN_EXCLUSIVE | UNCHANNEL_PARAMETER_MAX_EXCLUSIVE;
  check<CheckFailed>(raw.unit != nullptr, "parameter '{}' has no unit (\"1\" for a pure number, \"\" for text).", raw.id);
  check<CheckFailed>(raw.doc != nullptr && *raw.doc != '\0', "parameter '{}' has no doc.", raw.id);
  check<CheckFailed>(is_utf8(raw.unit) && is_utf8(raw.doc), "unit or doc of parameter '{}' is no UTF-8.", raw.id);
  check<CheckFailed>(raw.reserved == 0, "parameter '{}': reserved is {}; it must be 0.", raw.id, raw.reserved);
  check<CheckFailed>((raw.flags & ~kKnownFlags) == 0, "parameter '{}' has unknown flags ({:#x}).", raw.id, raw.flags & ~kKnownFlags);
  check<CheckFailed>(raw.type != UNCHANNEL_TYPE_F64 || *raw.unit != '\0',
                     "parameter '{}' is a number without a unit (\"1\" for a pure one).", raw.id);
  const bool is_text = raw.type == UNCHANNEL_TYPE_ENUM || raw.type == UNCHANNEL_TYPE_STRING || raw.type == UNCHANNEL_TYPE_PATH;
  const bool required = (raw.flags & UNCHANNEL_PARAMETER_REQUIRED) != 0;
  check<CheckFailed>(!is_text || required || raw.default_text != nullptr, "parameter '{}' has no default_text.", raw.id);
  check<CheckFailed>(raw.type != UNCHANNEL_TYPE_BOOL || (raw.default_i64 & ~std::int64_t{1}) == 0,
                     "the default of '{}' is {}; a BOOL is 0 or 1.", raw.id, raw.default_i64);
}

void check_default(const ParameterDescription& p) {
  if (p.required()) return;
  if (p.type == UNCHANNEL_TYPE_ENUM) {
    const auto value = p.default_value.get<std::string>();
    check<CheckFailed>(std::find(p.choices.begin(), p.choices.end(), value) != p.choices.end(),
                       "the default '{}' of '{}' is not among its choices {}.", value, p.id, p.range_text());
    check<CheckFailed>(std::set<std::string>(p.choices.begin(), p.choices.end()).size() == p.choices.size(), "'{}' has a choice twice.",
                       p.id);
  }
  if (p.type != UNCHANNEL_TYPE_F64) return;
  const auto value = p.default_value.get<double>();
  const bool on_open_end = ((p.flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE) != 0 && value == p.min_f64) ||
                           ((p.flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE) != 0 && value == p.max_f64);
  check<CheckFailed>(!std::isnan(value) && !on_open_end, "the default {} of '{}' lies outside its range {}.", value, p.id, p.range_text());
}

void check_latent(const LatentDescription& latent, const ChannelDescription& channel) {
  constexpr std::uint32_t kKnownFlags = UNCHANNEL_LATENT_VISIBLE | UNCHANNEL_LATENT_DEPENDS_ON_X | UNCHANNEL_LATENT_DATA_ONLY;
  check<CheckFailed>(is_snake_case(latent.id), "the id '{}' of a latent is not in snake_case.", latent.id);
  check<CheckFailed>(!latent.doc.empty() && is_utf8(latent.doc), "latent '{}' has no doc.", latent.id);
  check<CheckFailed>((latent.flags & ~kKnownFlags) == 0, "latent '{}' has unknown flags ({:#x}).", latent.id, latent.flags & ~kKnownFlags);
  const auto is_counted = [&](const LatentDescription& other) { return other.id == latent.count_of; };
  check<CheckFailed>(latent.count_of.empty() || std::any_of(channel.latents.begin(), channel.latents.end(), is_counted),
                     "latent '{}' counts '{}', which does not exist.", latent.id, latent.count_of);
  std::map<std::string, double> any;
  for (const ParameterDescription& p : channel.parameters) any[p.id] = 1;
  parse_prior(latent.prior, any);  // throws CheckFailed naming the text
}

}  // namespace

void check_descriptor(const CheckRequest& request, nlohmann::json& detail) {
  const PluginFile library(request.file, request.channel);
  const unchannel_module& module = library.module();
  std::vector<const unchannel_descriptor*> before;
  std::set<std::string> ids;
  for (std::uint32_t i = 0; i < module.channel_count(); ++i) {
    before.push_back(module.channel_descriptor(i));
    check<CheckFailed>(ids.insert(read_descriptor(module, i).id).second, "two channels have the id '{}'.", read_descriptor(module, i).id);
  }
  Subject subject(request);
  for (std::uint32_t i = 0; i < before.size(); ++i) {
    check<CheckFailed>(module.channel_descriptor(i) == before[i], "channel_descriptor({}) changes after init.", i);
  }
  const ChannelDescription& d = subject.description();
  const unchannel_descriptor& raw = *before[subject.index()];
  check<CheckFailed>(raw.vendor && raw.url && raw.licence && raw.description && raw.name,
                     "a text of the descriptor is NULL (empty is \"\").");
  check<CheckFailed>(d.id.find('.') != std::string::npos, "the id '{}' is no reverse domain name such as org.example.instrument.", d.id);
  check<CheckFailed>(!d.name.empty(), "the descriptor has no name.");
  check<CheckFailed>(!d.description.empty(), "the descriptor has no description (formula, units, source).");
  check<CheckFailed>(is_semantic_version(d.version), "the version '{}' is no semantic version such as 1.2.0.", d.version);
  check<CheckFailed>(is_utf8(d.name) && is_utf8(d.description) && is_utf8(d.vendor) && is_utf8(d.url) && is_utf8(d.licence),
                     "a text of the descriptor is no UTF-8.");
  detail["determinism"] = determinism_name(d.determinism);
  detail["thread_class"] = thread_class_name(d.thread_class);
}

void check_parameter_schema(const CheckRequest& request, nlohmann::json& detail) {
  Subject subject(request);  // reads the schema: ids, types, numeric ranges
  const ChannelDescription& channel = subject.description();
  const auto instance = subject.create();
  for (std::uint32_t i = 0; i < channel.parameters.size(); ++i) {
    const unchannel_parameter* raw = subject.core().parameter(instance->raw(), i);
    check<CheckFailed>(raw != nullptr && channel.parameters[i].id == raw->id, "parameter {} of another instance differs.", i);
    check_raw_parameter(*raw);
    check<CheckFailed>(is_snake_case(raw->id), "the id '{}' of a parameter is not in snake_case.", raw->id);
    check_default(channel.parameters[i]);
  }
  for (const LatentDescription& latent : channel.latents) check_latent(latent, channel);
  detail["parameters"] = channel.parameters.size();
  detail["latents"] = channel.latents.size();
}

}  // namespace unchannel::conformance
