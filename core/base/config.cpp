#include "config.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "atomic_file.hpp"
#include "did_you_mean.hpp"
#include "error.hpp"

namespace unchannel {

struct Config::Content {
  toml::table root;
  std::string name;
  std::filesystem::path folder;
};

namespace {

std::string describe(const toml::node& node) {
  std::ostringstream text;
  if (node.is_table()) return "a table";
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

/// "must lie between 0 and 1", "must be at least 1": the type's own limits are no rule and stay unsaid.
template <class T>
std::string range_rule(T min, T max) {
  const bool low = min > std::numeric_limits<T>::lowest();
  const bool high = max < std::numeric_limits<T>::max();
  if (low && high) return fmt::format("must lie between {} and {}", min, max);
  if (low) return fmt::format("must be at least {}", min);
  return high ? fmt::format("must be at most {}", max) : std::string("must be finite");
}

nlohmann::json to_json(const toml::node& node, const std::string& place) {
  if (const auto* value = node.as_boolean()) return value->get();
  if (const auto* value = node.as_integer()) return value->get();
  if (const auto* value = node.as_floating_point()) return value->get();
  if (const auto* value = node.as_string()) return value->get();
  if (const auto* array = node.as_array()) {
    nlohmann::json list = nlohmann::json::array();
    for (const auto& item : *array) list.push_back(to_json(item, place));
    return list;
  }
  if (const auto* table = node.as_table()) {
    nlohmann::json object = nlohmann::json::object();
    for (const auto& [key, item] : *table) object[std::string(key.str())] = to_json(item, place);
    return object;
  }
  throw ConfigError(fmt::format("{}: dates and times are not supported here.", place));
}

class Reader final : public SettingsVisitor {
 public:
  Reader(const toml::table* table, std::string file, std::string prefix)
      : table_(table), file_(std::move(file)), prefix_(std::move(prefix)) {}

  void boolean(FieldDoc field, bool& value) override {
    if (const toml::node* node = find(field)) {
      require(node->is_boolean(), field, *node, "must be true or false");
      value = node->as_boolean()->get();
    }
  }
  void integer(FieldDoc field, std::int64_t& value, std::int64_t min, std::int64_t max) override {
    if (const toml::node* node = find(field)) value = to_integer(field, *node, min, max);
  }
  void number(FieldDoc field, double& value, double min, double max) override {
    const toml::node* node = find(field);
    if (!node) return;
    require(node->is_number(), field, *node, "must be a number");
    const double read = *node->value<double>();
    require(read >= min && read <= max, field, *node, range_rule(min, max));
    value = read;
  }
  void text(FieldDoc field, std::string& value) override {
    if (const toml::node* node = find(field)) {
      require(node->is_string(), field, *node, "must be a string in quotes");
      value = node->as_string()->get();
    }
  }
  void choice(FieldDoc field, std::string& value, const std::vector<std::string>& allowed) override {
    const toml::node* node = find(field);
    if (!node) return;
    require(node->is_string(), field, *node, "must be a string in quotes");
    const std::string read = node->as_string()->get();
    if (std::find(allowed.begin(), allowed.end(), read) == allowed.end()) {
      std::string list;
      for (const std::string& item : allowed) list += (list.empty() ? "'" : ", '") + item + "'";
      throw ConfigError(fmt::format("{}: {} must be one of {}; it is '{}'.{}", place(node), full_key(field.key), list, read,
                                    did_you_mean(read, allowed)));
    }
    value = read;
  }
  void integers(FieldDoc field, std::vector<std::int64_t>& value, std::int64_t min, std::int64_t max) override {
    const toml::node* node = find(field);
    if (!node) return;
    require(node->is_array(), field, *node, "must be a list of integers");
    std::vector<std::int64_t> read;
    for (const auto& item : *node->as_array()) read.push_back(to_integer(field, item, min, max));
    value = read;
  }
  void number_or_word(FieldDoc field, double& value, double min, double max, std::string& word,
                      const std::vector<std::string>& words) override {
    const toml::node* node = find(field);
    if (!node) return;
    const std::string rule = fmt::format("must be a number or one of '{}'", fmt::join(words, "', '"));
    require(node->is_number() || node->is_string(), field, *node, rule);
    if (node->is_string()) {
      const std::string read = node->as_string()->get();
      require(std::find(words.begin(), words.end(), read) != words.end(), field, *node, rule);
      word = read;
      return;
    }
    const double read = *node->value<double>();
    require(read >= min && read <= max, field, *node, range_rule(min, max));
    value = read;
    word.clear();
  }
  void numbers(FieldDoc field, std::vector<double>& value) override {
    if (const toml::node* node = find(field)) value = to_numbers(field, *node);
  }
  void matrix(FieldDoc field, std::vector<std::vector<double>>& value) override {
    const toml::node* node = find(field);
    if (!node) return;
    require(node->is_array(), field, *node, "must be a list of rows, each a list of numbers");
    std::vector<std::vector<double>> read;
    for (const auto& row : *node->as_array()) {
      read.push_back(to_numbers(field, row));
      const std::size_t columns = read.front().size();
      require(read.back().size() == columns, field, row, fmt::format("must have as many numbers in each row, {} here", columns));
      check<ConfigError>(read.size() * std::max<std::size_t>(columns, 1) <= kMaxNumbers, "{}: {} may hold at most {} numbers.", place(node),
                         full_key(field.key), kMaxNumbers);
    }
    value = read;
  }
  void free_table(FieldDoc field, nlohmann::json& value) override {
    const toml::node* node = find(field);
    if (!node) return;
    require(node->is_table(), field, *node, "must be a table");
    if (!value.is_object()) value = nlohmann::json::object();
    value.merge_patch(to_json(*node, place(node)));
  }
  void section(FieldDoc field, const std::function<void(SettingsVisitor&)>& visit_fields) override {
    const toml::node* node = find(field);
    if (node) require(node->is_table(), field, *node, fmt::format("must be a table, written [{}]", full_key(field.key)));
    Reader inner(node ? node->as_table() : nullptr, file_, full_key(field.key));
    visit_fields(inner);
    inner.reject_unknown();
  }
  void sections(FieldDoc field, SettingsList& entries) override {
    const toml::node* node = find(field);
    if (!node) return;
    const std::string key = full_key(field.key);
    require(node->is_array() && (node->as_array()->empty() || node->as_array()->is_homogeneous(toml::node_type::table)), field, *node,
            fmt::format("must be a list of tables, each written [[{}]]", key));
    const toml::array& tables = *node->as_array();
    entries.resize(tables.size());
    for (std::size_t i = 0; i < tables.size(); ++i) {
      Reader inner(tables[i].as_table(), file_, fmt::format("{}[{}]", key, i));
      entries.visit(i, inner);
      inner.reject_unknown();
    }
  }
  void reject_unknown() const {
    if (!table_) return;
    for (const auto& [key, node] : *table_) {
      const std::string name(key.str());
      if (std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
      std::string remedy = did_you_mean(name, known_);
      if (remedy.empty()) remedy = fmt::format(" Known here: {}.", fmt::join(known_, ", "));
      throw ConfigError(fmt::format("{}: {} is not a known key.{}", place(&node), full_key(name), remedy));
    }
  }

 private:
  const toml::node* find(FieldDoc field) {
    known_.emplace_back(field.key);
    return table_ ? table_->get(field.key) : nullptr;
  }
  std::string full_key(const std::string& key) const { return prefix_.empty() ? key : prefix_ + "." + key; }
  std::string place(const toml::node* node) const {
    const auto line = node->source().begin.line;
    return line ? fmt::format("{}:{}", file_, line) : file_ + " (--set)";
  }
  void require(bool condition, FieldDoc field, const toml::node& node, const std::string& rule) const {
    check<ConfigError>(condition, "{}: {} {}; it is {}.", place(&node), full_key(field.key), rule, describe(node));
  }
  std::int64_t to_integer(FieldDoc field, const toml::node& node, std::int64_t min, std::int64_t max) const {
    require(node.is_integer(), field, node, "must be an integer");
    const std::int64_t read = node.as_integer()->get();
    require(read >= min && read <= max, field, node, range_rule(min, max));
    return read;
  }

  std::vector<double> to_numbers(FieldDoc field, const toml::node& node) const {
    require(node.is_array(), field, node, "must be a list of numbers");
    const toml::array& items = *node.as_array();
    check<ConfigError>(items.size() <= kMaxNumbers, "{}: {} may hold at most {} numbers; it holds {}.", place(&node), full_key(field.key),
                       kMaxNumbers, items.size());
    std::vector<double> read;
    for (const auto& item : items) {
      require(item.is_number() && std::isfinite(*item.value<double>()), field, item, "must hold finite numbers");
      read.push_back(*item.value<double>());
    }
    return read;
  }

  const toml::table* table_;
  std::string file_;
  std::string prefix_;
  std::vector<std::string> known_;
};

void apply_override(toml::table& root, const std::string& text) {
  const auto equals = text.find('=');
  const std::string key = text.substr(0, equals);
  const bool has_empty_part = key.empty() || key.front() == '.' || key.back() == '.' || key.find("..") != std::string::npos;
  check<ConfigError>(equals != std::string::npos && !has_empty_part, "--set {}: must have the form key.subkey=value.", text);
  const std::string value = text.substr(equals + 1);
  toml::table* table = &root;
  std::size_t begin = 0;
  for (std::size_t dot = key.find('.'); dot != std::string::npos; dot = key.find('.', begin)) {
    const std::string part = key.substr(begin, dot - begin);
    if (!table->contains(part)) table->insert(part, toml::table{});
    table = table->get(part)->as_table();
    check<ConfigError>(table != nullptr, "--set {}: {} is not a table.", text, key.substr(0, dot));
    begin = dot + 1;
  }
  const std::string last = key.substr(begin);
  table->erase(last);
  try {
    const toml::table parsed = toml::parse("value = " + value);
    if (parsed.size() != 1) {  // a line break and a second key: text, since one override sets one key
      table->insert(last, value);
      return;
    }
    // The copy drops the position inside the snippet, which would be mistaken for a line of the file.
    parsed.get("value")->visit([&](const auto& node) { table->insert(last, node); });
  } catch (const toml::parse_error&) {
    table->insert(last, value);  // an unquoted word is a string
  }
}

}  // namespace

Config::Config(std::unique_ptr<Content> content) : content_(std::move(content)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

Config Config::read(const std::filesystem::path& path, const std::vector<std::string>& overrides) {
  std::error_code error;
  check<ConfigError>(std::filesystem::is_regular_file(path, error), "{}: no such configuration file.", path.string());
  Config config = parse(read_file(path), path.string(), overrides);
  config.content_->folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  return config;
}

Config Config::parse(const std::string& text, const std::string& name, const std::vector<std::string>& overrides) {
  auto content = std::make_unique<Content>();
  content->name = name;
  content->folder = ".";
  try {
    content->root = toml::parse(text, name);
  } catch (const toml::parse_error& error) {
    throw ConfigError(fmt::format("{}:{}: is not valid TOML: {}.", name, error.source().begin.line, error.description()));
  }
  for (const std::string& item : overrides) apply_override(content->root, item);
  return Config(std::move(content));
}

void Config::fill(const std::function<void(SettingsVisitor&)>& visit_settings) const {
  Reader reader(&content_->root, content_->name, "");
  visit_settings(reader);
  reader.reject_unknown();
}

void Config::fill_table(const std::string& name, const std::function<void(SettingsVisitor&)>& visit_settings) const {
  std::vector<std::string> tables;
  for (const auto& [key, node] : content_->root) {
    const std::string present(key.str());
    check<ConfigError>(node.is_table() || node.is_array_of_tables() || present == name,
                       "{}: {} is not a known key. Keys stand in tables: write [{}] above it.", place_of(present), present, name);
    tables.push_back(present);
  }
  check<ConfigError>(content_->root.contains(name), "{}: there is no table [{}].{}", content_->name, name,
                     tables.empty() ? std::string() : did_you_mean(name, tables));
  Reader reader(&content_->root, content_->name, "");
  reader.section({name.c_str(), ""}, visit_settings);
}

std::string Config::place_of(const std::string& dotted_key) const {
  const auto node = content_->root.at_path(dotted_key);
  if (!node || !node.node()->source().begin.line) return content_->name;
  return fmt::format("{}:{}", content_->name, node.node()->source().begin.line);
}

const std::filesystem::path& Config::folder() const { return content_->folder; }

}  // namespace unchannel
