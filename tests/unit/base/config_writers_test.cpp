#include <gtest/gtest.h>

#include <cmath>
#include <unchannel/base/config.hpp>

#include "example_settings.hpp"

namespace unchannel::test {
namespace {

std::string to_toml(ExampleSettings settings, bool with_comments = true) {
  return settings_to_toml([&](SettingsVisitor& visitor) { settings.visit(visitor); }, with_comments);
}

TEST(SettingsToToml, DefaultsAreWrittenPlainKeysFirst) {
  EXPECT_EQ(to_toml({}, false), R"(iterations = 20
tolerance = 0.001
label = "plain"
solver = "heun"
widths = [64, 128]
scale = 0.5
mean = []
covariance = []

[outer]

[outer.inner]
enabled = true
rate = 0.5

[parameters]
)");
}

TEST(SettingsToToml, CommentsCarryMeaningAndUnit) {
  const std::string text = to_toml({});
  EXPECT_NE(text.find("# How fast [1/s]\nrate = 0.5\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# The section inside\n[outer.inner]\n"), std::string::npos) << text;
  EXPECT_NE(text.find("# Parameters of the plugin\n[parameters]\n"), std::string::npos) << text;
}

TEST(SettingsToToml, ReadingItBackGivesTheSameSettings) {
  ExampleSettings written;
  written.iterations = 999;
  written.tolerance = std::nextafter(0.1, 1.0);  // needs all 17 digits
  written.label = "quote \" backslash \\ newline \n tab \t bell \a unicode é ü 星";
  written.solver = "euler";
  written.widths = {};
  written.scale_word = "auto";
  written.mean = {1.0, -1.0 / 3.0};
  written.covariance = {{2.0, 0.6}, {0.6, 1e-300}};
  written.parameters = {{"sigma", 1e300},  {"count", 3},
                        {"half", 2.0},     {"name with spaces", "x"},
                        {"dotted.key", 1}, {"list", {1.5, -2.0}},
                        {"on", false},     {"nested", {{"deep key", {{"deeper", "text"}}}}},
                        {"empty", ""},     {"infinite", std::numeric_limits<double>::infinity()}};
  written.inner.enabled = false;
  written.inner.rate = 1.0 / 3.0;
  for (const bool with_comments : {false, true}) {
    const std::string text = to_toml(written, with_comments);
    const ExampleSettings read = read_settings(text);
    EXPECT_EQ(read.iterations, written.iterations);
    EXPECT_EQ(read.tolerance, written.tolerance);
    EXPECT_EQ(read.label, written.label);
    EXPECT_EQ(read.solver, written.solver);
    EXPECT_EQ(read.widths, written.widths);
    EXPECT_EQ(read.scale_word, written.scale_word);
    EXPECT_EQ(read.mean, written.mean);
    EXPECT_EQ(read.covariance, written.covariance);
    EXPECT_EQ(read.parameters, written.parameters) << text;
    EXPECT_TRUE(read.parameters["half"].is_number_float()) << "2.0 became an integer";
    EXPECT_EQ(read.inner.enabled, written.inner.enabled);
    EXPECT_EQ(read.inner.rate, written.inner.rate);
    EXPECT_EQ(to_toml(read, with_comments), text);
  }
}

TEST(SettingsToToml, BytesThatAreNotUtf8StillGiveReadableToml) {
  ExampleSettings written;
  written.label = "broken \xff byte";
  EXPECT_EQ(read_settings(to_toml(written)).label, "broken \uFFFD byte");
}

TEST(SettingsToMarkdown, EveryKeyHasARowBelowATableHead) {
  ExampleSettings settings;
  const std::string head = "| key | default | values | unit | meaning |\n|---|---|---|---|---|\n";
  EXPECT_EQ(settings_to_markdown([&](SettingsVisitor& visitor) { settings.visit(visitor); }),
            "\n" + head +
                "| `iterations` | `20` | [1, 1000] |  | Outer iterations |\n"
                "| `tolerance` | `0.001` | ≥ 0 |  | Stops below this |\n"
                "| `label` | `\"plain\"` |  |  | Free text |\n"
                "| `solver` | `\"heun\"` | euler · heun |  | How the path is integrated |\n"
                "| `widths` | `[64, 128]` | list of integers |  | Features of each layer |\n"
                "| `scale` | `0.5` | [0, 9] · \"auto\" · \"none\" |  | Size, or how to find it |\n"
                "| `mean` | `[]` | list of numbers |  | Centre |\n"
                "| `covariance` | `[]` | rows of numbers |  | Spread |\n"
                "| `parameters` | | table |  | Parameters of the plugin |\n"
                "\n### `[outer]`\n\nHolds another section\n"
                "\n### `[outer.inner]`\n\nThe section inside\n\n" +
                head +
                "| `enabled` | `true` |  |  | Whether it is used |\n"
                "| `rate` | `0.5` | [0, 1] | 1/s | How fast |\n");
}

TEST(SettingsToMarkdown, BarsInTextDoNotEndACell) {
  std::string value = "a|b";
  const std::string text = settings_to_markdown([&](SettingsVisitor& visitor) { visitor.text({"key", "one|two"}, value); });
  EXPECT_NE(text.find("| `key` | `\"a\\|b\"` |  |  | one\\|two |\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace unchannel::test
