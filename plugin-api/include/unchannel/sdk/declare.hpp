// Parameters and latents, declared once as members of the channel:
//
//     sdk::Real sigma_{*this, {.id = "sigma", .unit = "data units", .value = 0.1, .min = 0, .doc = "Standard deviation."}};
//     sdk::Latent<float> snr_{*this, {.id = "snr", .unit = "1", .prior = "uniform(snr_min, snr_max)", .doc = "…"}};
//
// All texts must be string literals (they live as long as the library).
#ifndef UNCHANNEL_SDK_DECLARE_HPP
#define UNCHANNEL_SDK_DECLARE_HPP

#include <unchannel/channel.h>
#include <unchannel/sdk/error.hpp>

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace unchannel::sdk {

using Shape = std::vector<int64_t>;

class ParameterBase;
class LatentBase;

/// What members register with; Channel derives from it.
class Declarations {
 public:
  Declarations() = default;
  Declarations(const Declarations&) = delete;
  Declarations& operator=(const Declarations&) = delete;

  std::vector<ParameterBase*> parameters;
  std::vector<LatentBase*> latents;

 protected:
  ~Declarations() = default;
};

class ParameterBase {
 public:
  ParameterBase(Declarations& owner, const unchannel_parameter& about) : about_(about) { owner.parameters.push_back(this); }
  ParameterBase(const ParameterBase&) = delete;
  ParameterBase& operator=(const ParameterBase&) = delete;

  [[nodiscard]] const unchannel_parameter& about() const { return about_; }
  virtual void set(const unchannel_value& value) = 0;  ///< throws Failure when the value breaks the schema
  [[nodiscard]] virtual std::string toml() const = 0;  ///< the value in TOML

 protected:
  ~ParameterBase() = default;
  unchannel_parameter about_;
};

struct RealSpec {
  const char* id;
  const char* unit = "1";
  double value;
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  const char* doc;
  uint32_t flags = 0;
};

class Real final : public ParameterBase {
 public:
  Real(Declarations& owner, const RealSpec& spec) : ParameterBase(owner, about(spec)), value_(spec.value) {}
  double operator()() const { return value_; }

  void set(const unchannel_value& value) override {
    const double v = value.f64;
    const bool low = (about_.flags & UNCHANNEL_PARAMETER_MIN_EXCLUSIVE) ? v <= about_.min_f64 : v < about_.min_f64;
    const bool high = (about_.flags & UNCHANNEL_PARAMETER_MAX_EXCLUSIVE) ? v >= about_.max_f64 : v > about_.max_f64;
    if (std::isnan(v) || low || high) {
      throw bad_argument(about_.id, " = ", v, " is outside its range from ", about_.min_f64, " to ", about_.max_f64, ".");
    }
    value_ = v;
  }
  [[nodiscard]] std::string toml() const override {
    std::string text = join(value_);
    if (text.find_first_of(".en") == std::string::npos) {
      text += ".0";
    }  // TOML tells 1.0 from 1
    return text;
  }

 private:
  static unchannel_parameter about(const RealSpec& s) {
    unchannel_parameter p{};
    p.id = s.id, p.unit = s.unit, p.doc = s.doc, p.type = UNCHANNEL_TYPE_F64, p.flags = s.flags;
    p.default_f64 = s.value, p.min_f64 = s.min, p.max_f64 = s.max;
    return p;
  }
  double value_;
};

struct IntegerSpec {
  const char* id;
  const char* unit = "1";
  int64_t value;
  int64_t min = std::numeric_limits<int64_t>::min();
  int64_t max = std::numeric_limits<int64_t>::max();
  const char* doc;
  uint32_t flags = 0;
};

class Integer final : public ParameterBase {
 public:
  Integer(Declarations& owner, const IntegerSpec& spec) : ParameterBase(owner, about(spec)), value_(spec.value) {}
  int64_t operator()() const { return value_; }

  void set(const unchannel_value& value) override {
    if (value.i64 < about_.min_i64 || value.i64 > about_.max_i64) {
      throw bad_argument(about_.id, " = ", value.i64, " is outside its range from ", about_.min_i64, " to ", about_.max_i64, ".");
    }
    value_ = value.i64;
  }
  [[nodiscard]] std::string toml() const override { return join(value_); }

 private:
  static unchannel_parameter about(const IntegerSpec& s) {
    unchannel_parameter p{};
    p.id = s.id, p.unit = s.unit, p.doc = s.doc, p.type = UNCHANNEL_TYPE_I64, p.flags = s.flags;
    p.default_i64 = s.value, p.min_i64 = s.min, p.max_i64 = s.max;
    return p;
  }
  int64_t value_;
};

struct SwitchSpec {
  const char* id;
  bool value;
  const char* doc;
  uint32_t flags = 0;
};

class Switch final : public ParameterBase {
 public:
  Switch(Declarations& owner, const SwitchSpec& spec) : ParameterBase(owner, about(spec)), value_(spec.value) {}
  bool operator()() const { return value_; }

  void set(const unchannel_value& value) override {
    if (value.i64 != 0 && value.i64 != 1) {
      throw bad_argument(about_.id, " = ", value.i64, " is neither true nor false.");
    }
    value_ = value.i64 == 1;
  }
  [[nodiscard]] std::string toml() const override { return value_ ? "true" : "false"; }

 private:
  static unchannel_parameter about(const SwitchSpec& s) {
    unchannel_parameter p{};
    p.id = s.id, p.unit = "", p.doc = s.doc, p.type = UNCHANNEL_TYPE_BOOL, p.flags = s.flags;
    p.default_i64 = s.value ? 1 : 0, p.min_i64 = 0, p.max_i64 = 1;
    return p;
  }
  bool value_;
};

/// Free text (UNCHANNEL_TYPE_STRING), a file (UNCHANNEL_TYPE_PATH), or one of `choices` (then the type is ENUM).
struct TextSpec {
  const char* id;
  const char* value;
  const char* doc;
  std::vector<const char*> choices = {};
  int32_t type = UNCHANNEL_TYPE_STRING;
  uint32_t flags = 0;
};

class Text final : public ParameterBase {
 public:
  Text(Declarations& owner, const TextSpec& spec) : ParameterBase(owner, about(spec)), value_(spec.value), choices_(spec.choices) {
    about_.choices = choices_.empty() ? nullptr : choices_.data();
  }
  const std::string& operator()() const { return value_; }

  void set(const unchannel_value& value) override {
    if (value.text == nullptr) {
      throw bad_argument(about_.id, " has no text.");
    }
    std::string listed;
    bool known = choices_.empty();
    for (const char* choice : choices_) {
      known = known || std::string_view(choice) == value.text;
      listed += (listed.empty() ? "" : ", ") + std::string(choice);
    }
    if (!known) {
      throw bad_argument(about_.id, " = \"", value.text, "\" must be one of: ", listed, ".");
    }
    value_ = value.text;
  }
  [[nodiscard]] std::string toml() const override {
    static constexpr char kHex[] = "0123456789ABCDEF";
    std::string text = "\"";
    for (const char c : value_) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '"' || c == '\\') {
        text += '\\', text += c;
      } else if (byte < 0x20 || byte == 0x7F) {
        text += "\\u00", text += kHex[byte >> 4], text += kHex[byte & 15];
      } else {
        text += c;
      }
    }
    return text + '"';
  }

 private:
  static unchannel_parameter about(const TextSpec& s) {
    unchannel_parameter p{};
    p.id = s.id, p.unit = "", p.doc = s.doc, p.default_text = s.value, p.flags = s.flags;
    p.type = s.choices.empty() ? s.type : UNCHANNEL_TYPE_ENUM, p.choice_count = static_cast<uint32_t>(s.choices.size());
    return p;
  }
  std::string value_;
  std::vector<const char*> choices_;
};

struct LatentSpec {
  const char* id;
  const char* unit = "1";
  const char* prior = "none";  ///< grammar: unchannel_latent.prior
  const char* doc;
  uint32_t flags = 0;
  const char* count_of = nullptr;
};

class LatentBase {
 public:
  LatentBase(const LatentBase&) = delete;
  LatentBase& operator=(const LatentBase&) = delete;

  /// Call it in configure: this configuration has the latent, with this shape ({}: one number per sample).
  void activate(Shape shape = {}) { active_ = true, shape_ = std::move(shape); }

  [[nodiscard]] const unchannel_latent& about() const { return about_; }
  [[nodiscard]] bool active() const { return active_; }
  [[nodiscard]] const Shape& shape() const { return shape_; }
  [[nodiscard]] uint32_t index() const { return index_; }

 protected:
  LatentBase(Declarations& owner, const LatentSpec& s, int32_t dtype)
      : about_{s.id, s.unit, s.doc, s.prior, s.count_of, dtype, s.flags}, index_(static_cast<uint32_t>(owner.latents.size())) {
    owner.latents.push_back(this);
  }
  ~LatentBase() = default;

 private:
  unchannel_latent about_;
  uint32_t index_;
  bool active_ = false;
  Shape shape_;
};

/// Value: float, int32_t or int64_t.
template <class Value>
class Latent final : public LatentBase {
 public:
  Latent(Declarations& owner, const LatentSpec& spec) : LatentBase(owner, spec, kDtype) {}

 private:
  static_assert(std::is_same_v<Value, float> || std::is_same_v<Value, int32_t> || std::is_same_v<Value, int64_t>);
  static constexpr int32_t kDtype = std::is_same_v<Value, float>     ? UNCHANNEL_LATENT_F32
                                    : std::is_same_v<Value, int32_t> ? UNCHANNEL_LATENT_I32
                                                                     : UNCHANNEL_LATENT_I64;
};

}  // namespace unchannel::sdk

#endif
