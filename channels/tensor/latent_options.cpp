#include "latent_options.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

namespace unchannel {
namespace {

LatentSource source_from(const std::string& key, const nlohmann::json& value) {
  static const std::vector<std::string> kNames = {"fresh", "own", "data"};
  const std::string name = value.is_string() ? value.get<std::string>() : json_text(value);
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (!value.is_string() || found == kNames.end()) {
    throw ConfigError(fmt::format(
        "{}: must be 'fresh' (drawn by the channel), 'own' (the observation's row of latents/) or 'data' (a random row of it); it is {}.{}",
        key, json_text(value), did_you_mean(name, kNames)));
  }
  return static_cast<LatentSource>(found - kNames.begin());
}

void apply(LatentChoice& latent, const std::string& key, const nlohmann::json& table) {
  static const std::vector<std::string> kKeys = {"visible", "source"};
  check<ConfigError>(table.is_object(), "{}: must be a table with 'visible' and 'source'; it is {}.", key, json_text(table));
  for (const auto& item : table.items()) {
    check<ConfigError>(std::find(kKeys.begin(), kKeys.end(), item.key()) != kKeys.end(), "{}.{} is not a known key.{}", key, item.key(),
                       did_you_mean(item.key(), kKeys));
  }
  if (table.contains("visible")) {
    check<ConfigError>(table["visible"].is_boolean(), "{}.visible: must be true or false; it is {}.", key, json_text(table["visible"]));
    latent.spec.visible = table["visible"].get<bool>();
  }
  if (table.contains("source")) latent.spec.source = source_from(key + ".source", table["source"]);
  check<ConfigError>(!latent.data_only || latent.spec.source != LatentSource::kFresh,
                     "{}.source: '{}' cannot be drawn by the channel; choose 'own' or 'data'.", key, latent.spec.name);
}

}  // namespace

std::vector<LatentSpec> apply_latent_options(const std::string& channel, std::vector<LatentChoice> latents,
                                             const std::vector<std::string>& inactive, const nlohmann::json& options) {
  check<ConfigError>(options.is_object() || options.is_null(), "channel.latents: must be a table of tables, [channel.latents.NAME].");
  std::vector<std::string> names;
  for (LatentChoice& latent : latents) {
    names.push_back(latent.spec.name);
    if (latent.data_only) latent.spec.source = LatentSource::kOwn;
  }
  for (const auto& item : options.items()) {
    const std::string key = "channel.latents." + item.key();
    check<ConfigError>(std::find(inactive.begin(), inactive.end(), item.key()) == inactive.end(),
                       "{}: with these parameters channel {} has no latent '{}'. Remove the table or change the parameters.", key, channel,
                       item.key());
    const auto found = std::find(names.begin(), names.end(), item.key());
    if (found == names.end()) {
      std::string list;
      for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
      throw ConfigError(fmt::format("{}: channel {} has no such latent.{} It has: {}.", key, channel, did_you_mean(item.key(), names),
                                    list.empty() ? "none" : list));
    }
    apply(latents[static_cast<std::size_t>(found - names.begin())], key, item.value());
  }
  std::vector<LatentSpec> specs;
  for (LatentChoice& latent : latents) specs.push_back(std::move(latent.spec));
  return specs;
}

const char* latent_source_name(LatentSource source) {
  switch (source) {
    case LatentSource::kFresh:
      return "fresh";
    case LatentSource::kOwn:
      return "own";
    case LatentSource::kData:
      return "data";
  }
  return "fresh";
}

}  // namespace unchannel
