#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <unchannel/base/config.hpp>
#include <vector>

namespace unchannel::test {

struct InnerSettings {
  bool enabled = true;
  double rate = 0.5;

  void visit(SettingsVisitor& visitor) {
    visitor.boolean({"enabled", "Whether it is used"}, enabled);
    visitor.number({"rate", "How fast", "1/s"}, rate, 0.0, 1.0);
  }
};

/// One field of every kind; `outer.inner` is a section inside a section that has no field of its own before it.
struct ExampleSettings {
  std::int64_t iterations = 20;
  double tolerance = 1e-3;
  std::string label = "plain";
  std::string solver = "heun";
  std::vector<std::int64_t> widths = {64, 128};
  double scale = 0.5;
  std::string scale_word;
  std::vector<double> mean;
  std::vector<std::vector<double>> covariance;
  nlohmann::json parameters = nlohmann::json::object();
  InnerSettings inner;

  void visit(SettingsVisitor& visitor) {
    visitor.section({"outer", "Holds another section"}, [this](SettingsVisitor& outer) {
      outer.section({"inner", "The section inside"}, [this](SettingsVisitor& fields) { inner.visit(fields); });
    });
    visitor.integer({"iterations", "Outer iterations"}, iterations, 1, 1000);
    visitor.number({"tolerance", "Stops below this"}, tolerance, 0.0, std::numeric_limits<double>::max());
    visitor.text({"label", "Free text"}, label);
    visitor.choice({"solver", "How the path is integrated"}, solver, {"euler", "heun"});
    visitor.integers({"widths", "Features of each layer"}, widths, 1, 4096);
    visitor.number_or_word({"scale", "Size, or how to find it"}, scale, 0.0, 9.0, scale_word, {"auto", "none"});
    visitor.numbers({"mean", "Centre"}, mean);
    visitor.matrix({"covariance", "Spread"}, covariance);
    visitor.free_table({"parameters", "Parameters of the plugin"}, parameters);
  }
};

inline void fill(ExampleSettings& settings, const Config& config) {
  config.fill([&](SettingsVisitor& visitor) { settings.visit(visitor); });
}

inline ExampleSettings read_settings(const std::string& text, const std::vector<std::string>& overrides = {}) {
  ExampleSettings settings;
  fill(settings, Config::parse(text, "run.toml", overrides));
  return settings;
}

}  // namespace unchannel::test
