#include <gtest/gtest.h>

#include <fstream>
#include <unchannel/base/config.hpp>
#include <unchannel/base/error.hpp>
#include <unchannel/test_support/temp_dir.hpp>

#include "example_settings.hpp"

namespace unchannel::test {
namespace {

/// The message of the ConfigError that `text` raises; "accepted" when it raises none.
std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    read_settings(text, overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Config, FillsEveryKindOfField) {
  const ExampleSettings read = read_settings(R"(
iterations = 7
tolerance = 2          # an integer is a number too
label = "ü"
solver = "euler"
widths = [1, 2, 3]
[parameters]
sigma = 0.5
modes = ["a", "b"]
nested = { deep = true }
[outer.inner]
enabled = false
rate = 1e-2
)");
  EXPECT_EQ(read.iterations, 7);
  EXPECT_EQ(read.tolerance, 2.0);
  EXPECT_EQ(read.label, "ü");
  EXPECT_EQ(read.solver, "euler");
  EXPECT_EQ(read.widths, (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(read.parameters, (nlohmann::json{{"sigma", 0.5}, {"modes", {"a", "b"}}, {"nested", {{"deep", true}}}}));
  EXPECT_FALSE(read.inner.enabled);
  EXPECT_EQ(read.inner.rate, 0.01);
}

TEST(Config, KeepsDefaultsOfFieldsThatAreNotWritten) {
  const ExampleSettings read = read_settings("");
  EXPECT_EQ(read.iterations, 20);
  EXPECT_EQ(read.solver, "heun");
  EXPECT_TRUE(read.inner.enabled);
}

TEST(Config, UnknownKeyNamesFileLineAndTheNearestKnownKey) {
  EXPECT_EQ(refusal("label = \"x\"\niteratons = 3\n"), "run.toml:2: iteratons is not a known key. Did you mean 'iterations'?");
}

TEST(Config, UnknownKeyInASectionIsNamedWithItsSection) {
  EXPECT_EQ(refusal("[outer.inner]\nrat = 0.1\n"), "run.toml:2: outer.inner.rat is not a known key. Did you mean 'rate'?");
}

TEST(Config, UnknownKeyUnlikeAnyOtherListsTheKnownOnes) {
  EXPECT_EQ(refusal("[outer.inner]\nwavelength_step = 0.1\n"),
            "run.toml:2: outer.inner.wavelength_step is not a known key. Known here: enabled, rate.");
}

TEST(Config, UnknownSectionIsRefusedWithItsLine) {
  EXPECT_EQ(refusal("iterations = 1\n[outerr.inner]\n"), "run.toml:2: outerr is not a known key. Did you mean 'outer'?");
}

TEST(Config, WrongTypesAreRefusedWithRuleAndValue) {
  EXPECT_EQ(refusal("iterations = 2.5"), "run.toml:1: iterations must be an integer; it is 2.5.");
  EXPECT_EQ(refusal("iterations = \"two\""), "run.toml:1: iterations must be an integer; it is 'two'.");
  EXPECT_EQ(refusal("tolerance = true"), "run.toml:1: tolerance must be a number; it is true.");
  EXPECT_EQ(refusal("label = 3"), "run.toml:1: label must be a string in quotes; it is 3.");
  EXPECT_EQ(refusal("widths = 3"), "run.toml:1: widths must be a list of integers; it is 3.");
  EXPECT_EQ(refusal("widths = [\n1,\n'x']"), "run.toml:3: widths must be an integer; it is 'x'.");
  EXPECT_EQ(refusal("outer = 3"), "run.toml:1: outer must be a table, written [outer]; it is 3.");
  EXPECT_EQ(refusal("parameters = []"), "run.toml:1: parameters must be a table; it is [].");
  EXPECT_EQ(refusal("[outer.inner]\nenabled = 1"), "run.toml:2: outer.inner.enabled must be true or false; it is 1.");
  EXPECT_EQ(refusal("[iterations]\na = 1"), "run.toml:1: iterations must be an integer; it is a table.");
}

TEST(Config, ValuesOutOfRangeAreRefusedAndTheLimitsAreIn) {
  EXPECT_EQ(refusal("iterations = 0"), "run.toml:1: iterations must lie between 1 and 1000; it is 0.");
  EXPECT_EQ(refusal("tolerance = -1.0"), "run.toml:1: tolerance must be at least 0; it is -1.0.");
  EXPECT_EQ(refusal("widths = [64, 0]"), "run.toml:1: widths must lie between 1 and 4096; it is 0.");
  EXPECT_EQ(refusal("[outer.inner]\nrate = 1.5"), "run.toml:2: outer.inner.rate must lie between 0 and 1; it is 1.5.");
  EXPECT_EQ(read_settings("iterations = 1000").iterations, 1000);
  EXPECT_EQ(read_settings("[outer.inner]\nrate = 0").inner.rate, 0.0);
}

TEST(Config, NotANumberAndInfinityAreRefused) {
  EXPECT_EQ(refusal("tolerance = nan"), "run.toml:1: tolerance must be at least 0; it is nan.");
  EXPECT_EQ(refusal("tolerance = inf"), "run.toml:1: tolerance must be at least 0; it is inf.");
}

TEST(Config, UnknownChoiceListsTheAllowedOnes) {
  EXPECT_EQ(refusal("solver = 'huen'"), "run.toml:1: solver must be one of 'euler', 'heun'; it is 'huen'. Did you mean 'heun'?");
}

TEST(Config, ReadsNumbersMatricesAndWordsInTheirPlace) {
  const ExampleSettings read = read_settings("scale = 'auto'\nmean = [1, -2.5]\ncovariance = [[2.0, 0.6], [0.6, 1]]\n");
  EXPECT_EQ(read.scale_word, "auto");
  EXPECT_EQ(read.scale, 0.5);
  EXPECT_EQ(read.mean, (std::vector<double>{1.0, -2.5}));
  EXPECT_EQ(read.covariance, (std::vector<std::vector<double>>{{2.0, 0.6}, {0.6, 1.0}}));
  EXPECT_EQ(read_settings("scale = 'auto'", {"scale=2"}).scale_word, "");
  EXPECT_EQ(read_settings("scale = 'auto'", {"scale=2"}).scale, 2.0);
}

TEST(Config, NumbersMatricesAndWordsAreRefusedWithRuleAndValue) {
  EXPECT_EQ(refusal("scale = 'em'"), "run.toml:1: scale must be a number or one of 'auto', 'none'; it is 'em'.");
  EXPECT_EQ(refusal("scale = true"), "run.toml:1: scale must be a number or one of 'auto', 'none'; it is true.");
  EXPECT_EQ(refusal("scale = -1"), "run.toml:1: scale must lie between 0 and 9; it is -1.");
  EXPECT_EQ(refusal("mean = 3"), "run.toml:1: mean must be a list of numbers; it is 3.");
  EXPECT_EQ(refusal("mean = [1, 'x']"), "run.toml:1: mean must hold finite numbers; it is 'x'.");
  EXPECT_EQ(refusal("mean = [inf]"), "run.toml:1: mean must hold finite numbers; it is inf.");
  EXPECT_EQ(refusal("covariance = 3"), "run.toml:1: covariance must be a list of rows, each a list of numbers; it is 3.");
  EXPECT_EQ(refusal("covariance = [1.0]"), "run.toml:1: covariance must be a list of numbers; it is 1.0.");
  EXPECT_EQ(refusal("covariance = [[1.0, 2.0],\n[3.0]]"), "run.toml:2: covariance must have as many numbers in each row, 2 here; it is [ 3.0 ].");
}

TEST(Config, ListsOfNumbersBeyondTheLimitAreRefused) {
  std::string many = "mean = [0";
  for (std::size_t i = 0; i < kMaxNumbers; ++i) many += ",0";
  EXPECT_EQ(refusal(many + "]"), "run.toml:1: mean may hold at most 65536 numbers; it holds 65537.");
}

/// What reading the table [outer] of `text` alone gives: the rate, or the message.
std::string rate_of_outer(const std::string& text) {
  InnerSettings inner;
  try {
    Config::parse(text, "run.toml").fill_table("outer", [&](SettingsVisitor& visitor) { inner.visit(visitor); });
  } catch (const ConfigError& error) {
    return error.what();
  }
  return std::to_string(inner.rate);
}

TEST(Config, OneTableIsReadAndOthersAreLeftAlone) {
  EXPECT_EQ(rate_of_outer("[outer]\nrate = 0.25\n[other]\nwhatever = 3\n[[list]]\na = 1\n"), "0.250000");
  EXPECT_EQ(rate_of_outer("[outer]\nrat = 0.25\n"), "run.toml:2: outer.rat is not a known key. Did you mean 'rate'?");
  EXPECT_EQ(rate_of_outer("[outre]\nrate = 0.25\n"), "run.toml: there is no table [outer]. Did you mean 'outre'?");
  EXPECT_EQ(rate_of_outer("outer = 3\n"), "run.toml:1: outer must be a table, written [outer]; it is 3.");
  EXPECT_EQ(rate_of_outer("rate = 0.25\n"), "run.toml:1: rate is not a known key. Keys stand in tables: write [outer] above it.");
}

TEST(Config, DatesInsideAFreeTableAreRefused) {
  EXPECT_EQ(refusal("[parameters]\nday = 2020-01-01"), "run.toml:1: dates and times are not supported here.");
}

TEST(Config, BrokenTomlNamesTheLine) {
  const std::string message = refusal("iterations = 3\nlabel = \"unfinished\n");
  EXPECT_TRUE(message.starts_with("run.toml:2: is not valid TOML: ")) << message;
}

TEST(Config, OverridesWinOverTheFile) {
  const ExampleSettings read = read_settings("iterations = 7\n[outer.inner]\nrate = 0.1\n",
                                             {"iterations=9", "outer.inner.rate=0.7", "widths=[5]", "parameters.sigma=2"});
  EXPECT_EQ(read.iterations, 9);
  EXPECT_EQ(read.inner.rate, 0.7);
  EXPECT_EQ(read.widths, (std::vector<std::int64_t>{5}));
  EXPECT_EQ(read.parameters, (nlohmann::json{{"sigma", 2}}));
}

TEST(Config, OverridesNeedNoQuotesRoundWords) {
  EXPECT_EQ(read_settings("", {"solver=euler"}).solver, "euler");
  EXPECT_EQ(read_settings("", {"label=two words = one text"}).label, "two words = one text");
  EXPECT_EQ(read_settings("", {"label="}).label, "");
  EXPECT_EQ(read_settings("", {"label=\"quoted\""}).label, "quoted");
}

TEST(Config, OverridesAreCheckedLikeTheFileAndNameTheirOrigin) {
  EXPECT_EQ(refusal("", {"iterations=0"}), "run.toml (--set): iterations must lie between 1 and 1000; it is 0.");
  EXPECT_EQ(refusal("", {"widths=[0]"}), "run.toml (--set): widths must lie between 1 and 4096; it is 0.");
  EXPECT_EQ(refusal("", {"iteratons=3"}), "run.toml (--set): iteratons is not a known key. Did you mean 'iterations'?");
}

TEST(Config, MalformedOverridesAreRefused) {
  EXPECT_EQ(refusal("", {"iterations"}), "--set iterations: must have the form key.subkey=value.");
  EXPECT_EQ(refusal("", {"=3"}), "--set =3: must have the form key.subkey=value.");
  EXPECT_EQ(refusal("label = 'x'", {"label.deep=3"}), "--set label.deep=3: label is not a table.");
  EXPECT_EQ(refusal("", {"outer..rate=3"}), "--set outer..rate=3: must have the form key.subkey=value.");
  EXPECT_EQ(refusal("", {"outer.=3"}), "--set outer.=3: must have the form key.subkey=value.");
}

TEST(Config, OverrideThatSmugglesASecondKeyIsText) { EXPECT_EQ(read_settings("", {"label=1\niterations=5"}).label, "1\niterations=5"); }

TEST(Config, MissingFileIsRefused) {
  const test_support::TempDir folder;
  const std::string path = (folder / "absent.toml").string();
  try {
    Config::read(path);
    FAIL() << "a missing file was read";
  } catch (const ConfigError& error) {
    EXPECT_EQ(std::string(error.what()), path + ": no such configuration file.");
  }
  EXPECT_THROW(Config::read(folder.path()), ConfigError);
}

TEST(Config, RelativePathsStartAtTheFilesFolder) {
  const test_support::TempDir folder;
  std::ofstream(folder / "run.toml") << "iterations = 3\n";
  EXPECT_EQ(Config::read(folder / "run.toml").folder(), folder.path());
  EXPECT_EQ(Config::parse("", "text").folder(), ".");
}

TEST(Config, PlaceOfAKeyIsItsLineOrTheFileAlone) {
  const Config config = Config::parse("iterations = 3\n\n[outer.inner]\nrate = 0.1\n", "run.toml", {"label=x"});
  EXPECT_EQ(config.place_of("outer.inner.rate"), "run.toml:4");
  EXPECT_EQ(config.place_of("label"), "run.toml");
  EXPECT_EQ(config.place_of("absent"), "run.toml");
}

}  // namespace
}  // namespace unchannel::test
