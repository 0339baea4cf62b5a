#include <gtest/gtest.h>

#include <limits>
#include <unchannel/base/error.hpp>
#include <unchannel/plugin_host/parameters.hpp>

namespace unchannel {
namespace {

std::vector<ParameterDescription> schema() {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<ParameterDescription> list(7);
  list[0] = {.id = "width_angstrom",
             .unit = "angstrom",
             .doc = "",
             .type = UNCHANNEL_TYPE_F64,
             .flags = UNCHANNEL_PARAMETER_MIN_EXCLUSIVE,
             .default_value = 3.0,
             .min_f64 = 0,
             .max_f64 = 10};
  list[1] = {.id = "taps", .unit = "1", .doc = "", .type = UNCHANNEL_TYPE_I64, .default_value = 3, .min_i64 = 1, .max_i64 = 9};
  list[2] = {.id = "edges", .unit = "", .doc = "", .type = UNCHANNEL_TYPE_ENUM, .default_value = "reflect", .choices = {"reflect", "zero"}};
  list[3] = {.id = "offset", .unit = "", .doc = "", .type = UNCHANNEL_TYPE_BOOL, .default_value = false};
  list[4] = {.id = "table", .unit = "", .doc = "", .type = UNCHANNEL_TYPE_PATH, .default_value = ""};
  list[5] = {.id = "snr",
             .unit = "1",
             .doc = "",
             .type = UNCHANNEL_TYPE_F64,
             .flags = UNCHANNEL_PARAMETER_REQUIRED,
             .default_value = nullptr,
             .min_f64 = -kInfinity,
             .max_f64 = kInfinity};
  list[6] = {.id = "label", .unit = "", .doc = "", .type = UNCHANNEL_TYPE_STRING, .default_value = "x"};
  return list;
}

std::vector<nlohmann::json> resolve(nlohmann::json given) {
  if (!given.contains("snr")) given["snr"] = 1;
  return resolve_parameters("org.x.y", schema(), given, "/etc/instrument");
}

std::string refusal(const nlohmann::json& given) {
  try {
    resolve(given);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Parameters, FillsInDefaultsInDeclaredOrder) {
  EXPECT_EQ(resolve({{"snr", 2}}), (std::vector<nlohmann::json>{3.0, 3, "reflect", false, "", 2.0, "x"}));
}

TEST(Parameters, TakesIntegersWhereRealsAreWanted) { EXPECT_TRUE(resolve({{"width_angstrom", 4}})[0].is_number_float()); }

TEST(Parameters, ResolvesRelativePathsFromTheConfigurationFolder) {
  EXPECT_EQ(resolve({{"table", "../lsf.txt"}})[4], "/etc/lsf.txt");
  EXPECT_EQ(resolve({{"table", "/a/b"}})[4], "/a/b");
  EXPECT_EQ(resolve({{"table", ""}})[4], "");
}

TEST(Parameters, SuggestsTheNearestNameForAnUnknownOne) {
  EXPECT_EQ(refusal({{"widht_angstrom", 4}}),
            "channel org.x.y: has no parameter 'widht_angstrom'. Did you mean 'width_angstrom'? It has: width_angstrom, taps, edges, "
            "offset, table, snr, label.");
}

TEST(Parameters, NamesRangeValueAndUnit) {
  EXPECT_EQ(refusal({{"width_angstrom", 0}}),
            "channel org.x.y: parameter width_angstrom must lie in the range (0, 10]; it is 0. Its unit is angstrom.");
  EXPECT_EQ(refusal({{"width_angstrom", 10}}), "accepted");
  EXPECT_EQ(refusal({{"taps", 10}}), "channel org.x.y: parameter taps must lie in the range [1, 9]; it is 10.");
}

TEST(Parameters, RefusesWrongTypes) {
  EXPECT_NE(refusal({{"width_angstrom", "wide"}}).find("must be a number; it is \"wide\""), std::string::npos);
  EXPECT_NE(refusal({{"width_angstrom", true}}).find("must be a number"), std::string::npos);
  EXPECT_NE(refusal({{"taps", 2.5}}).find("must be an integer; it is 2.5"), std::string::npos);
  EXPECT_NE(refusal({{"offset", 1}}).find("must be true or false; it is 1"), std::string::npos);
  EXPECT_NE(refusal({{"label", 1}}).find("must be a string in quotes"), std::string::npos);
  EXPECT_NE(refusal({{"edges", "reflekt"}}).find("must be one of 'reflect' · 'zero'; it is 'reflekt'. Did you mean 'reflect'?"),
            std::string::npos);
}

TEST(Parameters, RefusesNotANumber) {
  EXPECT_NE(refusal({{"snr", std::numeric_limits<double>::quiet_NaN()}}).find("must be a number"), std::string::npos);
}

TEST(Parameters, AsksForWhatHasNoDefault) {
  EXPECT_THROW(resolve_parameters("org.x.y", schema(), nlohmann::json::object(), "."), ConfigError);
}

}  // namespace
}  // namespace unchannel
