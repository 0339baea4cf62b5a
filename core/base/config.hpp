#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

namespace unchannel {

/// What a settings struct tells about one of its fields; one description serves reading, writing and the reference page.
struct FieldDoc {
  const char* key;
  const char* doc;
  const char* unit = "";
};

class SettingsVisitor;

/// What a list of numbers or a matrix in a configuration may hold in all.
inline constexpr std::size_t kMaxNumbers = 65536;

/// A list of settings structs, as a visitor sees it; see SettingsVisitor::list.
class SettingsList {
 public:
  virtual ~SettingsList() = default;
  virtual std::size_t size() const = 0;
  virtual void resize(std::size_t count) = 0;  ///< every entry gets the defaults
  virtual void visit(std::size_t index, SettingsVisitor& visitor) = 0;
  /// An entry with the defaults: what a reference page describes.
  virtual void visit_default(SettingsVisitor& visitor) = 0;
};

/// Walks over the fields of a settings struct. A struct with settings has one function `void visit(SettingsVisitor&)` in which
/// every field is named once, with range and documentation; its default is the member's initialiser.
class SettingsVisitor {
 public:
  virtual ~SettingsVisitor() = default;
  virtual void boolean(FieldDoc field, bool& value) = 0;
  virtual void integer(FieldDoc field, std::int64_t& value, std::int64_t min, std::int64_t max) = 0;
  virtual void number(FieldDoc field, double& value, double min, double max) = 0;
  virtual void text(FieldDoc field, std::string& value) = 0;
  virtual void choice(FieldDoc field, std::string& value, const std::vector<std::string>& allowed) = 0;
  virtual void integers(FieldDoc field, std::vector<std::int64_t>& value, std::int64_t min, std::int64_t max) = 0;
  /// A number, or one of `words`: then `word` holds it; it is empty when a number is given.
  virtual void number_or_word(FieldDoc field, double& value, double min, double max, std::string& word,
                              const std::vector<std::string>& words) = 0;
  /// Finite numbers, at most kMaxNumbers of them.
  virtual void numbers(FieldDoc field, std::vector<double>& value) = 0;
  /// Rows of finite numbers, as many in each, at most kMaxNumbers in all.
  virtual void matrix(FieldDoc field, std::vector<std::vector<double>>& value) = 0;
  /// A table whose keys somebody else knows (a plugin's parameters): a JSON object of booleans, numbers, strings and arrays.
  virtual void free_table(FieldDoc field, nlohmann::json& value) = 0;
  virtual void section(FieldDoc field, const std::function<void(SettingsVisitor&)>& visit_fields) = 0;
  /// Tables written [[field]], one for each entry; a file that has any replaces the whole list.
  virtual void sections(FieldDoc field, SettingsList& entries) = 0;
  /// The same for a vector of settings structs.
  template <class T>
  void list(FieldDoc field, std::vector<T>& entries);
};

template <class T>
void SettingsVisitor::list(FieldDoc field, std::vector<T>& entries) {
  class Entries final : public SettingsList {
   public:
    explicit Entries(std::vector<T>& entries) : entries_(entries) {}
    std::size_t size() const override { return entries_.size(); }
    void resize(std::size_t count) override { entries_.assign(count, T{}); }
    void visit(std::size_t index, SettingsVisitor& visitor) override { entries_[index].visit(visitor); }
    void visit_default(SettingsVisitor& visitor) override { T{}.visit(visitor); }

   private:
    std::vector<T>& entries_;
  };
  Entries view(entries);
  sections(field, view);
}

/// A parsed TOML configuration, not yet checked against any settings.
class Config {
 public:
  /// Reads `path` and applies overrides of the form "a.b=value". Throws ConfigError naming file, line and rule.
  static Config read(const std::filesystem::path& path, const std::vector<std::string>& overrides = {});
  /// Same from text; `name` stands for the file in messages.
  static Config parse(const std::string& text, const std::string& name, const std::vector<std::string>& overrides = {});

  Config(Config&&) noexcept;
  Config& operator=(Config&&) noexcept;
  ~Config();

  /// Fills every field that the file names. Throws ConfigError on an unknown key ("did you mean"), a wrong type, a value out of range.
  void fill(const std::function<void(SettingsVisitor&)>& visit_settings) const;

  /// The same from the table `name` alone; other tables belong to other commands and are not looked at. Throws ConfigError when `name` is
  /// missing or when anything but tables stands beside it.
  void fill_table(const std::string& name, const std::function<void(SettingsVisitor&)>& visit_settings) const;

  /// "file:line" of a dotted key, or the file alone when the key is not written in it.
  std::string place_of(const std::string& dotted_key) const;

  /// Folder that relative paths in this file are relative to.
  const std::filesystem::path& folder() const;

 private:
  struct Content;
  explicit Config(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

/// The settings as TOML text, each field with its documentation as a comment. Reading it back gives the same settings.
std::string settings_to_toml(const std::function<void(SettingsVisitor&)>& visit_settings, bool with_comments = true);

/// The settings as a Markdown reference: key, default, range, unit, meaning.
std::string settings_to_markdown(const std::function<void(SettingsVisitor&)>& visit_settings);

}  // namespace unchannel
