#include "prior_law.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include "verdict.hpp"

namespace unchannel::conformance {
namespace {

/// Recursive descent over sum = product {(+|-) product}, product = factor {* factor}, factor = number | id | ( sum ) | - factor.
class Parser {
 public:
  Parser(const std::string& text, const std::map<std::string, double>& parameters) : text_(text), parameters_(parameters) {}

  PriorLaw law() {
    static const std::map<std::string, std::pair<PriorLaw::Kind, int>> kLaws = {{"uniform", {PriorLaw::Kind::uniform, 2}},
                                                                                {"normal", {PriorLaw::Kind::normal, 2}},
                                                                                {"lognormal", {PriorLaw::Kind::lognormal, 2}},
                                                                                {"bernoulli", {PriorLaw::Kind::bernoulli, 1}},
                                                                                {"poisson", {PriorLaw::Kind::poisson, 1}}};
    const std::string name = word();
    PriorLaw law;
    if (name == "none" && at_end()) return law;
    law.kind = PriorLaw::Kind::other;
    if (name == "other" && take(':')) return law;
    const auto found = kLaws.find(name);
    require(found != kLaws.end(), "is none of uniform, normal, lognormal, bernoulli, poisson, none and 'other: text'");
    law.kind = found->second.first;
    require(take('('), "lacks its arguments");
    law.a = sum();
    if (found->second.second == 2) {
      require(take(','), "needs two arguments");
      law.b = sum();
    }
    require(take(')') && at_end(), "has something behind its last argument");
    return law;
  }

 private:
  void require(bool condition, const char* what) const { check<CheckFailed>(condition, "the prior '{}' {}.", text_, what); }
  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool take(char c) {
    skip_space();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  std::string word() {
    skip_space();
    const std::size_t begin = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) ++at_;
    return text_.substr(begin, at_ - begin);
  }
  double sum() {
    double value = product();
    for (;;) {
      if (take('+')) {
        value += product();
      } else if (take('-')) {
        value -= product();
      } else {
        return value;
      }
    }
  }
  double product() {
    double value = factor();
    while (take('*')) value *= factor();
    return value;
  }
  double factor() {
    require(++factors_ < 1000, "is too long");
    if (take('-')) return -factor();
    if (take('(')) {
      const double value = sum();
      require(take(')'), "lacks a closing parenthesis");
      return value;
    }
    skip_space();
    if (at_ < text_.size() && (std::isdigit(static_cast<unsigned char>(text_[at_])) || text_[at_] == '.')) {
      char* end = nullptr;
      const double value = std::strtod(text_.c_str() + at_, &end);
      at_ = static_cast<std::size_t>(end - text_.c_str());
      return value;
    }
    const std::string id = word();
    const auto found = parameters_.find(id);
    require(found != parameters_.end(), "has an argument that is neither a number nor a parameter");
    return found->second;
  }

  const std::string& text_;
  const std::map<std::string, double>& parameters_;
  std::size_t at_ = 0;
  int factors_ = 0;  // bounds the recursion, too
};

double normal_cdf(double z) { return 0.5 * std::erfc(-z / std::sqrt(2.0)); }

}  // namespace

bool PriorLaw::valid() const {
  if (kind == Kind::uniform) return a <= b;
  if (kind == Kind::normal || kind == Kind::lognormal) return b >= 0;
  if (kind == Kind::bernoulli) return a >= 0 && a <= 1;
  return kind != Kind::poisson || a >= 0;
}

bool PriorLaw::degenerate() const {
  return (kind == Kind::uniform && a == b) || ((kind == Kind::normal || kind == Kind::lognormal) && b == 0);
}

double PriorLaw::cdf(double x) const {
  if (kind == Kind::uniform) return std::clamp((x - a) / (b - a), 0.0, 1.0);
  if (kind == Kind::normal) return normal_cdf((x - a) / b);
  return x > 0 ? normal_cdf((std::log(x) - a) / b) : 0.0;
}

double PriorLaw::mean() const {
  switch (kind) {
    case Kind::uniform:
      return 0.5 * (a + b);
    case Kind::lognormal:
      return std::exp(a + 0.5 * b * b);
    default:
      return a;  // normal, bernoulli, poisson
  }
}

double PriorLaw::variance() const {
  switch (kind) {
    case Kind::uniform:
      return (b - a) * (b - a) / 12;
    case Kind::normal:
      return b * b;
    case Kind::lognormal:
      return std::expm1(b * b) * std::exp(2 * a + b * b);
    case Kind::bernoulli:
      return a * (1 - a);
    default:
      return a;  // poisson
  }
}

PriorLaw parse_prior(const std::string& text, const std::map<std::string, double>& parameters) {
  return Parser(text.empty() ? "none" : text, parameters).law();
}

double kolmogorov_smirnov(std::vector<double> values, const PriorLaw& law) {
  std::sort(values.begin(), values.end());
  const auto n = static_cast<double>(values.size());
  double distance = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double p = law.cdf(values[i]);
    distance = std::max({distance, p - static_cast<double>(i) / n, static_cast<double>(i + 1) / n - p});
  }
  return std::sqrt(n) * distance;
}

}  // namespace unchannel::conformance
