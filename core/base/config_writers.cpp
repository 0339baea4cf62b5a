#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "config.hpp"
#include "json_text.hpp"

namespace unchannel {
namespace {

/// JSON's escapes are TOML's. Bytes that are not UTF-8 cannot be written in either and become U+FFFD.
std::string quote(const std::string& text) { return json_text(text); }

/// Text inside a Markdown table: a bar would end the cell.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char letter : text) escaped += letter == '|' ? std::string("\\|") : std::string(1, letter);
  return escaped;
}

std::string toml_key(const std::string& key) {
  const bool bare =
      !key.empty() && key.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == std::string::npos;
  return bare ? key : quote(key);
}

std::string format_number(double value) {
  const std::string text = fmt::format("{}", value);
  return text.find_first_of(".eni") == std::string::npos ? text + ".0" : text;
}

std::string inline_toml(const nlohmann::json& value) {
  if (value.is_number_float()) return format_number(value.get<double>());
  if (value.is_array()) {
    std::string list;
    for (const auto& item : value) list += (list.empty() ? "" : ", ") + inline_toml(item);
    return "[" + list + "]";
  }
  if (value.is_object()) {
    std::string list;
    for (const auto& [key, item] : value.items()) list += (list.empty() ? " " : ", ") + toml_key(key) + " = " + inline_toml(item);
    return "{" + list + " }";
  }
  return value.is_string() ? quote(value.get<std::string>()) : json_text(value);
}

std::string range_text(double min, double max) {
  const bool low = min > std::numeric_limits<double>::lowest();
  const bool high = max < std::numeric_limits<double>::max();
  if (low && high) return fmt::format("[{}, {}]", min, max);
  if (low) return fmt::format("≥ {}", min);
  return high ? fmt::format("≤ {}", max) : std::string();
}

std::string integer_range_text(std::int64_t min, std::int64_t max) {
  if (max == std::numeric_limits<std::int64_t>::max()) return fmt::format("≥ {}", min);
  return fmt::format("[{}, {}]", min, max);
}

/// Renders every field as text and leaves the layout to `emit`. Sections collect in `tail_`, since TOML wants plain keys first.
class Renderer : public SettingsVisitor {
 public:
  void boolean(FieldDoc field, bool& value) override { emit(field, value ? "true" : "false", ""); }
  void integer(FieldDoc field, std::int64_t& value, std::int64_t min, std::int64_t max) override {
    emit(field, fmt::format("{}", value), integer_range_text(min, max));
  }
  void number(FieldDoc field, double& value, double min, double max) override { emit(field, format_number(value), range_text(min, max)); }
  void text(FieldDoc field, std::string& value) override { emit(field, quote(value), ""); }
  void choice(FieldDoc field, std::string& value, const std::vector<std::string>& allowed) override {
    std::string list;
    for (const std::string& item : allowed) list += (list.empty() ? "" : " · ") + item;
    emit(field, quote(value), list);
  }
  void integers(FieldDoc field, std::vector<std::int64_t>& value, std::int64_t, std::int64_t) override {
    emit(field, inline_toml(nlohmann::json(value)), "list of integers");
  }
  void number_or_word(FieldDoc field, double& value, double min, double max, std::string& word,
                      const std::vector<std::string>& words) override {
    std::string list = range_text(min, max);
    for (const std::string& item : words) list += (list.empty() ? "" : " · ") + quote(item);
    emit(field, word.empty() ? format_number(value) : quote(word), list);
  }
  void numbers(FieldDoc field, std::vector<double>& value) override { emit(field, inline_toml(nlohmann::json(value)), "list of numbers"); }
  void matrix(FieldDoc field, std::vector<std::vector<double>>& value) override {
    emit(field, inline_toml(nlohmann::json(value)), "rows of numbers");
  }
  void free_table(FieldDoc field, nlohmann::json& value) override {
    std::string body;
    if (value.is_object()) {
      for (const auto& [key, item] : value.items()) body += fmt::format("{} = {}\n", toml_key(key), inline_toml(item));
    }
    emit_table(field, body);
  }
  void section(FieldDoc field, const std::function<void(SettingsVisitor&)>& visit_fields) override { table(field, "[{}]", visit_fields); }
  std::string finish() const { return out_ + tail_; }

 protected:
  /// A table of its own with a head of this form, "[{}]" or "[[{}]]".
  void table(FieldDoc field, const char* head, const std::function<void(SettingsVisitor&)>& visit_fields) {
    const std::string outer_prefix = std::exchange(prefix_, dotted(field.key));
    const std::string outer_out = std::exchange(out_, {});
    const std::string outer_tail = std::exchange(tail_, {});
    begin_table(field, fmt::format(fmt::runtime(head), prefix_));
    visit_fields(*this);
    const std::string inner = finish();
    prefix_ = outer_prefix;
    out_ = outer_out;
    tail_ = outer_tail + inner;
  }

  virtual void emit(FieldDoc field, const std::string& value, const std::string& range) = 0;
  virtual void emit_table(FieldDoc field, const std::string& body) = 0;
  virtual void begin_table(FieldDoc field, const std::string& head) = 0;

  std::string dotted(const char* key) const { return prefix_.empty() ? key : prefix_ + "." + key; }

  std::string out_;
  std::string tail_;
  std::string prefix_;
};

class TomlRenderer final : public Renderer {
 public:
  explicit TomlRenderer(bool with_comments) : with_comments_(with_comments) {}

 private:
  void emit(FieldDoc field, const std::string& value, const std::string&) override {
    if (with_comments_) out_ += fmt::format("# {}{}\n", field.doc, *field.unit ? fmt::format(" [{}]", field.unit) : "");
    out_ += fmt::format("{} = {}\n", field.key, value);
  }
  void emit_table(FieldDoc field, const std::string& body) override {
    tail_ += "\n";
    if (with_comments_) tail_ += fmt::format("# {}\n", field.doc);
    tail_ += fmt::format("[{}]\n{}", dotted(field.key), body);
  }
  void begin_table(FieldDoc field, const std::string& head) override {
    out_ += "\n";
    if (with_comments_) out_ += fmt::format("# {}\n", field.doc);
    out_ += head + "\n";
  }
  void sections(FieldDoc field, SettingsList& entries) override {
    for (std::size_t i = 0; i < entries.size(); ++i) {
      table(field, "[[{}]]", [&](SettingsVisitor& visitor) { entries.visit(i, visitor); });
    }
  }

  bool with_comments_;
};

class MarkdownRenderer final : public Renderer {
 private:
  void emit(FieldDoc field, const std::string& value, const std::string& range) override {
    row(fmt::format("| `{}` | `{}` | {} | {} | {} |\n", field.key, cell(value), range, field.unit, cell(field.doc)));
  }
  void emit_table(FieldDoc field, const std::string&) override {
    row(fmt::format("| `{}` | | table | {} | {} |\n", field.key, field.unit, cell(field.doc)));
  }
  void begin_table(FieldDoc field, const std::string& head) override { out_ += fmt::format("\n### `{}`\n\n{}\n", head, field.doc); }
  void sections(FieldDoc field, SettingsList& entries) override {
    table(field, "[[{}]]", [&](SettingsVisitor& visitor) { entries.visit_default(visitor); });
  }
  void row(const std::string& text) {
    // The head stands before the first row only: a section may hold nothing but other sections.
    if (!out_.ends_with("|\n")) out_ += "\n| key | default | values | unit | meaning |\n|---|---|---|---|---|\n";
    out_ += text;
  }
};

}  // namespace

std::string settings_to_toml(const std::function<void(SettingsVisitor&)>& visit_settings, bool with_comments) {
  TomlRenderer renderer(with_comments);
  visit_settings(renderer);
  return renderer.finish();
}

std::string settings_to_markdown(const std::function<void(SettingsVisitor&)>& visit_settings) {
  MarkdownRenderer renderer;
  visit_settings(renderer);
  return renderer.finish();
}

}  // namespace unchannel
