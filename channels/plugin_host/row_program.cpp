#include "row_program.hpp"

#include <algorithm>
#include <limits>
#include <unchannel/base/did_you_mean.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/base/json_text.hpp>

#include "program_manifest.hpp"
#include "program_plugin.hpp"

namespace unchannel {
namespace {

/// A table of the manifest whose every key must be known.
class Table {
 public:
  Table(const nlohmann::json& json, std::string place, const std::vector<std::string>& known) : json_(json), place_(std::move(place)) {
    check<ConfigError>(json.is_object(), "{}: must be a table.", place_);
    for (const auto& item : json.items()) {
      if (std::find(known.begin(), known.end(), item.key()) != known.end()) continue;
      throw ConfigError(fmt::format("{}: {} is not a known key.{}", place_, item.key(), did_you_mean(item.key(), known)));
    }
  }

  bool has(const char* key) const { return json_.contains(key); }
  const nlohmann::json& operator[](const char* key) const { return json_.at(key); }
  std::string text(const char* key, const std::string& otherwise = "") const {
    if (!has(key)) return otherwise;
    require(json_.at(key).is_string(), key, "must be a string");
    return json_.at(key).get<std::string>();
  }
  void require(bool condition, const char* key, const char* rule) const {
    check<ConfigError>(condition, "{}: {} {}; it is {}.", place_, key, rule, has(key) ? json_text(json_.at(key)) : "missing");
  }

 private:
  const nlohmann::json& json_;
  std::string place_;
};

const char* type_of(const nlohmann::json& value) {
  if (value.is_number_integer()) return "i64";
  if (value.is_number_float()) return "f64";
  return value.is_boolean() ? "bool" : "enum";
}

nlohmann::json parameter(const std::string& id, const nlohmann::json& json, const std::string& place) {
  const Table table(json, place + "." + id, {"default", "unit", "doc", "min", "max", "choices"});
  check<ConfigError>(id != "key" && id != "count" && id != "values", "{}.{}: this name stands for something else in a command.", place, id);
  table.require(table.has("default") && table["default"].is_primitive(), "default", "must be a number, true, false or one of `choices`");
  const std::string type = type_of(table["default"]);
  nlohmann::json described = {{"id", id},
                              {"type", type},
                              {"unit", table.text("unit", type == "f64" ? "1" : "")},
                              {"doc", table.text("doc", "The " + id + ".")},
                              {"default", table["default"]},
                              {"flags", nlohmann::json::array()}};
  if (type == "i64")
    described.update({{"min", std::numeric_limits<std::int64_t>::min()}, {"max", std::numeric_limits<std::int64_t>::max()}});
  for (const char* bound : {"min", "max"}) {
    if (!table.has(bound)) continue;
    table.require(type == "i64" ? table[bound].is_number_integer() : type == "f64" && table[bound].is_number(), bound,
                  "must be a number of the default's type");
    described[bound] = table[bound];
  }
  if (type == "enum") {
    const bool texts = table.has("choices") && table["choices"].is_array() &&
                       std::all_of(table["choices"].begin(), table["choices"].end(), [](const auto& choice) { return choice.is_string(); });
    table.require(texts, "choices", "must be a list of strings: what this parameter can be (free text never reaches a command)");
    described["choices"] = table["choices"];
  }
  return described;
}

}  // namespace

ChannelDescription row_channel_description(const nlohmann::json& json, const std::string& place) {
  const Table table(json, place + ": [channel]",
                    {"id", "name", "version", "vendor", "url", "licence", "description", "determinism", "parameters"});
  const std::string id = table.text("id"), determinism = table.text("determinism", "none");
  table.require(!id.empty(), "id", "must be a reverse domain name");
  table.require(determinism == "none" || determinism == "per_batch" || determinism == "per_sample", "determinism",
                "must be 'none', 'per_batch' or 'per_sample'");
  nlohmann::json described = {{"id", id}, {"determinism", determinism}, {"thread_class", "instance_serial"}};
  described["name"] = table.text("name", id.substr(id.rfind('.') + 1));
  described["version"] = table.text("version", "1.0.0");
  described["description"] = table.text("description", "The program of " + place + ".");
  for (const char* key : {"vendor", "url", "licence"}) described[key] = table.text(key);
  for (const char* key : {"capabilities", "parameters", "latents"}) described[key] = nlohmann::json::array();
  if (table.has("parameters")) {
    table.require(table["parameters"].is_object(), "parameters", "must be a table of tables");
    for (const auto& item : table["parameters"].items()) {
      described["parameters"].push_back(parameter(item.key(), item.value(), place + ": channel.parameters"));
    }
  }
  ChannelDescription channel = channel_description_from_json(described);
  try {
    check_description(channel);
  } catch (const Error& error) {
    throw ConfigError(fmt::format("{}: {}", place, error.what()));
  }
  return channel;
}

bool is_row_program(const std::filesystem::path& file) {
  try {
    return is_program_manifest(file) && !read_manifest(file).rows.empty();
  } catch (const Error&) {  // its reader says why
    return false;
  }
}

RowProgram read_row_program(const std::filesystem::path& file) {
  const ProgramManifest manifest = read_manifest(file);
  RowProgram program{.command = startable_command(manifest), .channel = row_channel_description(manifest.channel, file.string())};
  program.format = manifest.rows == "text" ? RowFormat::kText : RowFormat::kRaw;
  return program;
}

}  // namespace unchannel
